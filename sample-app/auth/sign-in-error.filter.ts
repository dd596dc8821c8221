import type { ServerResponse } from 'node:http';
import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { SignInError } from 'nestjs-parity';
import { loginPage } from '../views/login.view.js';
import { Answer } from '../web/answer.js';
import type { AppRequest } from '../web/app-request.js';
import { HOME } from './auth.service.js';

/** A sign-in that did not come about: its reason above the form, for the next try. */
@Catch(SignInError)
export class SignInErrorFilter implements ExceptionFilter<SignInError> {
  catch({ reason, message, returnTo }: SignInError, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<AppRequest>();
    const response = host.switchToHttp().getResponse<ServerResponse>();
    const answer = Answer.page(
      { error: 'sign_in_failed', reason, message },
      () => loginPage({ message, returnTo: returnTo ?? HOME }),
      400,
    );
    response.end(answer.write(request, response));
  }
}
