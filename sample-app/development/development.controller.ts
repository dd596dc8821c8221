import type { ServerResponse } from 'node:http';
import {
  Body,
  Controller,
  HttpCode,
  Inject,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
  Req,
  Res,
  UseGuards,
} from '@nestjs/common';
import { AuthService, HOME } from '../auth/auth.service.js';
import { SignedInGuard } from '../auth/signed-in.guard.js';
import { Viewer } from '../auth/viewer.decorator.js';
import { postInput } from '../posts/post-input.js';
import { PostsService } from '../posts/posts.service.js';
import { User } from '../users/user.entity.js';
import { editedElsewherePage, revokedPage } from '../views/development.view.js';
import { Answer } from '../web/answer.js';
import type { AppRequest } from '../web/app-request.js';
import { DEVELOPMENT, type DevelopmentOptions } from './development-options.js';

/** Never in production: signs in whoever asks. */
@Controller('dev')
export class DevelopmentController {
  constructor(
    private readonly auth: AuthService,
    private readonly posts: PostsService,
    @Inject(DEVELOPMENT) private readonly options: DevelopmentOptions,
  ) {}

  /** Does what a person does in the browser, up to the redirect to our own callback, which the caller follows. */
  @Post('sign-in')
  @HttpCode(303)
  async signIn(
    @Body('handle') handle: unknown,
    @Req() request: AppRequest,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<Answer> {
    const { network, accounts } = this.options;
    const account = accounts.find((one) => one.handle === handle);
    if (!account) {
      const known = accounts.map((one) => one.handle).join(', ');
      throw new NotFoundException(`The development sign-in knows ${known}.`);
    }
    const authorizeUrl = await this.auth.begin(account.handle, HOME, request, response);
    const { href } = await network.signIn(authorizeUrl, account);
    response.setHeader('location', href);
    return Answer.redirect({ callback: href }, href);
  }

  /** As the owner of the account can on the PDS's own page. The application learns of it with its next write. */
  @Post('revoke')
  @HttpCode(200)
  @UseGuards(SignedInGuard)
  async revoke(@Viewer() viewer: User): Promise<Answer> {
    const revoked = await this.options.network.revokeSessions(viewer);
    return Answer.page({ revoked }, () => revokedPage(viewer, revoked));
  }
  /** Edits the record of a post as another app of its author would. The blog learns of it from the PDS. */
  @Post('posts/:id/edit-elsewhere')
  @HttpCode(200)
  @UseGuards(SignedInGuard)
  async editElsewhere(
    @Param('id', ParseIntPipe) id: number,
    @Body() body: unknown,
    @Viewer() viewer: User,
  ): Promise<Answer> {
    const { network, accounts } = this.options;
    const account = accounts.find(({ did }) => did === viewer.did);
    const uri = (await this.posts.own(id, viewer)).getAtpUri();
    const record = uri === null ? null : await network.getRecord(uri);
    if (!account || uri === null || !record) throw new NotFoundException(`Post ${id} has no record.`);
    const { content = '' } = postInput(body);
    const [collection = '', rkey = ''] = uri.split('/').slice(-2);
    const agent = await network.agent(account);
    const { data } = await agent.com.atproto.repo.putRecord({
      repo: viewer.did,
      collection,
      rkey,
      record: { ...record.value, text: content },
    });
    const { cid } = data;
    return Answer.page({ uri, cid, content }, () => editedElsewherePage(viewer, id, content));
  }
}
