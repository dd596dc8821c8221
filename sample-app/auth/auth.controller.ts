import type { ServerResponse } from 'node:http';
import { Body, Controller, Get, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import { User } from '../users/user.entity.js';
import { loginPage } from '../views/login.view.js';
import { Answer } from '../web/answer.js';
import type { AppRequest } from '../web/app-request.js';
import { AuthService, HOME } from './auth.service.js';
import { reauthenticationMessage } from './reauthentication-message.js';
import { Viewer } from './viewer.decorator.js';

@Controller()
export class AuthController {
  constructor(private readonly auth: AuthService) {}

  @Get('login')
  form(@Query('reason') reason: unknown, @Query('returnTo') returnTo: unknown): Answer {
    const message = reauthenticationMessage(reason);
    return Answer.page({ message }, () => loginPage({ message, returnTo: text(returnTo) }));
  }

  @Post('login')
  @HttpCode(200)
  async login(
    @Body() body: { handle?: unknown; returnTo?: unknown } | undefined,
    @Req() request: AppRequest,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<Answer> {
    const url = await this.auth.begin(text(body?.handle), text(body?.returnTo) || HOME, request, response);
    return Answer.redirect({ authorizeUrl: url.href }, url.href);
  }

  @Get('oauth/callback')
  async callback(
    @Query() query: Record<string, string>,
    @Req() request: AppRequest,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<Answer> {
    const { user, returnTo } = await this.auth.complete(query, request, response);
    return Answer.redirect({ did: user.did, handle: user.handle }, returnTo);
  }

  @Post('logout')
  @HttpCode(200)
  async logout(
    @Viewer() viewer: User | null,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<Answer> {
    if (viewer) await this.auth.signOut(viewer, response);
    return Answer.redirect({ signedOut: viewer?.did ?? null }, '/posts');
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
