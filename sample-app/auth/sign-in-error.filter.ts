import type { ServerResponse } from 'node:http';
import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { PdsUnavailableError, SignInError } from 'nestjs-parity';
import { loginPage } from '../views/login.view.js';
import { Answer } from '../web/answer.js';
import type { AppRequest } from '../web/app-request.js';
import { pathOf } from './auth.service.js';

/** A sign-in that did not come about: its reason above the form, for the next try. Saves never throw these two. */
@Catch(SignInError, PdsUnavailableError)
export class SignInErrorFilter implements ExceptionFilter<SignInError | PdsUnavailableError> {
  catch(error: SignInError | PdsUnavailableError, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<AppRequest>();
    const response = host.switchToHttp().getResponse<ServerResponse>();
    const { message } = error;
    const [reason, returnTo, status] =
      error instanceof SignInError ? [error.reason, error.returnTo, 400] : ['pds-unavailable', null, 503];
    const answer = Answer.page(
      { error: 'sign_in_failed', reason, message },
      () => loginPage({ message, returnTo: pathOf(returnTo) }),
      status,
    );
    response.end(answer.write(request, response));
  }
}
