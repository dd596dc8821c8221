import { Injectable, NotFoundException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { whereVisible } from 'nestjs-parity';
import { Repository } from 'typeorm';
import { User } from '../users/user.entity.js';
import type { PostInput } from './post-input.js';
import { Post } from './post.entity.js';

/** Nothing here but TypeORM: the records follow, and what is written elsewhere comes by itself. */
@Injectable()
export class PostsService {
  constructor(@InjectRepository(Post) private readonly posts: Repository<Post>) {}

  /** Everybody's published posts and the viewer's drafts, newest first. */
  list(viewer: User | null): Promise<Post[]> {
    return this.posts.find({
      where: [
        { status: 'published', ...whereVisible(Post) },
        ...(viewer ? [{ user: { id: viewer.id } }] : []),
      ],
      relations: { user: true },
      order: { id: 'DESC' },
      take: 100,
    });
  }

  async visible(id: number, viewer: User | null): Promise<Post> {
    const post = await this.posts.findOne({ where: { id }, relations: { user: true } });
    const isHidden = post?.status === 'draft' || post?.hiddenAt != null;
    if (!post || (isHidden && post.user.id !== viewer?.id)) throw notFound(id);
    return post;
  }

  /** A post that its author may change. */
  async own(id: number, author: User): Promise<Post> {
    const post = await this.visible(id, author);
    if (post.user.id !== author.id) throw notFound(id);
    return post;
  }

  create(author: User, input: PostInput): Promise<Post> {
    return this.posts.save(this.posts.create({ ...input, user: author }));
  }

  async change(id: number, author: User, input: Partial<PostInput>): Promise<Post> {
    return this.posts.save(Object.assign(await this.own(id, author), input));
  }

  async remove(id: number, author: User): Promise<void> {
    await this.posts.remove(await this.own(id, author));
  }
}

const notFound = (id: number): NotFoundException => new NotFoundException(`There is no post ${id}.`);
