import { STATUS_CODES, type ServerResponse } from 'node:http';
import {
  Catch,
  HttpException,
  Logger,
  UnauthorizedException,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { errorPage } from '../views/error.view.js';
import { Answer } from './answer.js';
import type { AppRequest } from './app-request.js';

/** Everything that has no filter of its own. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('Blog');

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<AppRequest>();
    const response = host.switchToHttp().getResponse<ServerResponse>();
    const status = error instanceof HttpException ? error.getStatus() : 500;
    const title = STATUS_CODES[status] ?? 'Error';
    const message = error instanceof HttpException ? error.message : 'Something went wrong on our side.';
    if (status === 500) this.logger.error(error instanceof Error ? error.stack : String(error));
    const data = { error: title.toLowerCase().replaceAll(/\W+/g, '_'), message };
    const answer =
      error instanceof UnauthorizedException
        ? Answer.redirect(data, signInPath(request), status)
        : Answer.page(
            data,
            () => errorPage({ status, title, message, viewer: request.viewer ?? null }),
            status,
          );
    response.end(answer.write(request, response));
  }
}

function signInPath({ method, url = '/posts' }: AppRequest): string {
  return `/login?${new URLSearchParams({ returnTo: method === 'GET' ? url : '/posts' })}`;
}
