import type { ServerResponse } from 'node:http';
import { Body, Controller, HttpCode, Inject, NotFoundException, Post, Res } from '@nestjs/common';
import { AuthService } from '../auth/auth.service.js';
import { Answer } from '../web/answer.js';
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
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<Answer> {
    const { network, accounts } = this.options;
    const account = accounts.find((one) => one.handle === handle);
    if (!account) {
      const known = accounts.map((one) => one.handle).join(', ');
      throw new NotFoundException(`The development sign-in knows ${known}.`);
    }
    const authorizeUrl = await this.auth.begin(account.handle, '/posts', response);
    const { href } = await network.signIn(authorizeUrl, account);
    response.setHeader('location', href);
    return Answer.redirect({ callback: href }, href);
  }
}
