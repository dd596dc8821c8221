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
import { postInput } from './post-input.js';
import { Post } from './post.entity.js';
import { showPost } from './post-shown.js';
import { PostsService } from './posts.service.js';

/** Browsers have only GET and POST; programs use PATCH and DELETE. */
@Controller()
export class PostsController {
  constructor(
    private readonly posts: PostsService,
    private readonly settings: Settings,
  ) {}

  @Get()
  @Redirect('/posts')
  home(): void {}

  @Get('posts')
  async list(@Viewer() viewer: User | null): Promise<Answer> {
    const posts = (await this.posts.list(viewer)).map((post) => showPost(post, this.settings));
    return Answer.page({ posts }, () => postsPage(posts, viewer));
  }

  @Get('posts/:id')
  async show(@Param('id', ParseIntPipe) id: number, @Viewer() viewer: User | null): Promise<Answer> {
    const post = showPost(await this.posts.visible(id, viewer), this.settings);
    return Answer.page(post, () => postPage(post, viewer));
  }

  @Get('posts/:id/edit')
  @UseGuards(SignedInGuard)
  async edit(@Param('id', ParseIntPipe) id: number, @Viewer() author: User): Promise<Answer> {
    const post = showPost(await this.posts.own(id, author), this.settings);
    return Answer.page(post, () => editPage(post, author));
  }

  @HttpPost('posts')
  @UseGuards(SignedInGuard)
  async create(@Body() body: unknown, @Viewer() author: User): Promise<Answer> {
    const { content, status = 'draft' } = postInput(body);
    if (content === undefined) throw new BadRequestException('A post needs some text (content).');
    return this.changed(await this.posts.create(author, { content, status }));
  }

  @Patch('posts/:id')
  @UseGuards(SignedInGuard)
  async change(
    @Param('id', ParseIntPipe) id: number,
    @Body() body: unknown,
    @Viewer() author: User,
  ): Promise<Answer> {
    return this.changed(await this.posts.change(id, author, postInput(body)));
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

  @HttpPost('posts/:id/sync')
  @HttpCode(200)
  @UseGuards(SignedInGuard)
  async syncNow(@Param('id', ParseIntPipe) id: number, @Viewer() author: User): Promise<Answer> {
    return this.changed(await this.posts.syncNow(id, author));
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

  private changed(post: Post): Answer {
    return Answer.redirect(showPost(post, this.settings), '/posts');
  }
}
