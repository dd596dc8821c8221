import type { AppBskyFeedPost } from '@atproto/api';
import {
  Column,
  CreateDateColumn,
  DeleteDateColumn,
  Entity,
  ManyToOne,
  OneToMany,
  PrimaryGeneratedColumn,
  UpdateDateColumn,
  VersionColumn,
  type Relation,
} from 'typeorm';
import { AtpMapper, AtpRecordEntity, AutoSyncsWithAtp, RecordMapper } from 'nestjs-parity';
import type { Model } from './model.js';

@Entity()
export class User {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column({ default: '' }) name!: string;
  @OneToMany(() => Post, (post) => post.user, { cascade: true }) posts!: Relation<Post[]>;
}

@Entity()
@AutoSyncsWithAtp()
export class Post extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() content!: string;
  @Column({ type: String, nullable: true }) note!: string | null;
  @Column({ default: 'published' }) status!: string;
  @ManyToOne(() => User, (user) => user.posts) user!: Relation<User>;
  @CreateDateColumn() createdAt!: Date;
  @UpdateDateColumn() updatedAt!: Date;
  @VersionColumn() version!: number;
  @DeleteDateColumn() deletedAt!: Date | null;

  override shouldAutoSync(): boolean {
    return this.status === 'published';
  }
}

@AtpMapper()
export class PostMapper extends RecordMapper<Post, AppBskyFeedPost.Record> {
  readonly entity = Post;
  readonly collection = 'app.bsky.feed.post';
  override readonly relations = { user: true };

  toRecord(post: Post): { text: string; createdAt: string } {
    return { text: post.content, createdAt: '2026-01-01T00:00:00.000Z' };
  }
}

export const blog: Model = { entities: [User, Post], mappers: [PostMapper] };
