import {
  BadRequestException,
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  ParseIntPipe,
  Patch,
  Post as HttpPost,
  Redirect,
  UseGuards,
} from '@nestjs/common';
import { SignedInGuard } from '../auth/signed-in.guard.js';
import { Viewer } from '../auth/viewer.decorator.js';
import { Settings } from '../settings/settings.js';
import { User } from '../users/user.entity.js';
import { editPage, postPage, postsPage } from '../views/posts.view.js';
import { Answer } from '../web/answer.js';
import { PendingPostsService } from './pending-posts.service.js';
import { postInput } from './post-input.js';
import { Post } from './post.entity.js';
import { showPost, type PostShown } from './post-shown.js';
import { PostsService } from './posts.service.js';

/** Browsers have only GET and POST; programs use PATCH and DELETE. */
@Controller()
export class PostsController {
  constructor(
    private readonly posts: PostsService,
    private readonly pending: PendingPostsService,
    private readonly settings: Settings,
  ) {}

  @Get()
  @Redirect('/posts')
  home(): void {}

  @Get('posts')
  async list(@Viewer() viewer: User | null): Promise<Answer> {
    const pending = viewer ? await this.pending.of(viewer) : [];
    const posts = (await this.posts.list(viewer)).map((post) => showPost(post, this.settings, pending));
    const { isDevelopment } = this.settings;
    return Answer.page({ posts }, () => postsPage({ posts, pending, viewer, isDevelopment }));
  }

  @Get('posts/:id')
  async show(@Param('id', ParseIntPipe) id: number, @Viewer() viewer: User | null): Promise<Answer> {
    const post = await this.shown(await this.posts.visible(id, viewer), viewer);
    return Answer.page(post, () => postPage(post, viewer));
  }

  @Get('posts/:id/edit')
  @UseGuards(SignedInGuard)
  async edit(@Param('id', ParseIntPipe) id: number, @Viewer() author: User): Promise<Answer> {
    const post = await this.shown(await this.posts.own(id, author), author);
    return Answer.page(post, () => editPage(post, author));
  }

  @HttpPost('posts')
  @UseGuards(SignedInGuard)
  async create(@Body() body: unknown, @Viewer() author: User): Promise<Answer> {
    const { content, status = 'draft' } = postInput(body);
    if (content === undefined) throw new BadRequestException('A post needs some text (content).');
    return this.changed(await this.posts.create(author, { content, status }), author);
  }

  @Patch('posts/:id')
  @UseGuards(SignedInGuard)
  async change(
    @Param('id', ParseIntPipe) id: number,
    @Body() body: unknown,
    @Viewer() author: User,
  ): Promise<Answer> {
    return this.changed(await this.posts.change(id, author, postInput(body)), author);
  }

  @HttpPost('posts/:id')
  @HttpCode(200)
  @UseGuards(SignedInGuard)
  changeByForm(
    @Param('id', ParseIntPipe) id: number,
    @Body() body: unknown,
    @Viewer() author: User,
  ): Promise<Answer> {
    return this.change(id, body, author);
  }

  @Delete('posts/:id')
  @UseGuards(SignedInGuard)
  async remove(@Param('id', ParseIntPipe) id: number, @Viewer() author: User): Promise<Answer> {
    await this.posts.remove(id, author);
    return Answer.redirect({ deleted: id }, '/posts');
  }

  @HttpPost('posts/:id/delete')
  @HttpCode(200)
  @UseGuards(SignedInGuard)
  removeByForm(@Param('id', ParseIntPipe) id: number, @Viewer() author: User): Promise<Answer> {
    return this.remove(id, author);
  }

  private async changed(post: Post, author: User): Promise<Answer> {
    return Answer.redirect(await this.shown(post, author), '/posts');
  }

  private async shown(post: Post, viewer: User | null): Promise<PostShown> {
    return showPost(post, this.settings, viewer ? await this.pending.of(viewer) : []);
  }
}
