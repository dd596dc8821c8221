import type { ServerResponse } from 'node:http';
import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { AuthenticationError } from 'nestjs-parity';
import { Answer } from '../web/answer.js';
import type { AppRequest } from '../web/app-request.js';

const messages = new Map([
  ['OAUTH_SESSION_INVALID', 'Your sign-in at your PDS has ended. Sign in again to publish it.'],
  ['MISSING_SCOPE', 'You did not allow the blog to write posts. Sign in again and allow it.'],
  ['AUTHENTICATION_FAILED', 'Your PDS does not let you write now. Is the account active?'],
]);

/** What the sign-in page says to somebody whom the filter sent there. */
export function reauthenticationMessage(reason: unknown): string | null {
  const message = messages.get(String(reason));
  return message === undefined ? null : `Your change is saved here, but not at your PDS. ${message}`;
}

/** A save whose account has to sign in again: the row is saved, the record is not. */
@Catch(AuthenticationError)
export class ReauthenticationFilter implements ExceptionFilter<AuthenticationError> {
  catch({ code, did, committed }: AuthenticationError, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<AppRequest>();
    const response = host.switchToHttp().getResponse<ServerResponse>();
    const answer = Answer.redirect(
      { error: 'reauthentication_required', did, saved: committed },
      `/login?${new URLSearchParams({ reason: code, returnTo: '/posts' })}`,
      401,
    );
    response.end(answer.write(request, response));
  }
}
