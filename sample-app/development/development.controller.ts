import type { ServerResponse } from 'node:http';
import {
  Body,
  Controller,
  HttpCode,
  Inject,
  NotFoundException,
  Post,
  Req,
  Res,
  UseGuards,
} from '@nestjs/common';
import { AuthService, HOME } from '../auth/auth.service.js';
import { SignedInGuard } from '../auth/signed-in.guard.js';
import { Viewer } from '../auth/viewer.decorator.js';
import { User } from '../users/user.entity.js';
import { revokedPage } from '../views/development.view.js';
import { Answer } from '../web/answer.js';
import type { AppRequest } from '../web/app-request.js';
import { DEVELOPMENT, type DevelopmentOptions } from './development-options.js';

/** Never in production: signs in whoever asks. */
@Controller('dev')
export class DevelopmentController {
  constructor(
    private readonly auth: AuthService,
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
}
