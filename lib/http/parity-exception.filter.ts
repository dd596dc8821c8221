import {
  Catch,
  HttpStatus,
  Inject,
  Injectable,
  Logger,
  Optional,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { AuthenticationError } from '../errors/authentication.error.js';
import { MissingScopeError } from '../errors/missing-scope.error.js';
import { reasonOf } from '../errors/reason-of.js';
import { AtpOAuthService } from '../sessions/oauth/atp-oauth.service.js';
import { PARITY_HTTP_OPTIONS, resolveHttpOptions, type ResolvedHttpOptions } from './http-options.js';
import type { HttpRequest } from './http-request.js';
import { returnPath } from './return-path.js';
import { signInUrl } from './sign-in-url.js';
import { wantsPage } from './wants-page.js';

/** The body of the 401 that programs get. */
export interface ReauthenticationRequired {
  readonly error: 'reauthentication_required';
  /** Whose account has to act. */
  readonly did: string | null;
  /** Where the user signs in (a path if `http.signInUrl` is one); null while that cannot be said: try again later. */
  readonly authorizeUrl: string | null;
  /** The rows of the request are in the database; only their records are missing. */
  readonly saved: true;
  /** What the user did not grant, where that is the reason. */
  readonly scope?: string;
}

const PAGE = 'Your change is saved, but it is not published: sign in again, then it can be.\n';

/**
 * Answers a request that met an account which has to sign in again: programs get 401 with a
 * {@link ReauthenticationRequired}, people are redirected (303) to the sign-in; see `ParityHttpOptions`.
 * For `@UseFilters()`, `APP_FILTER`, or `app.useGlobalFilters(app.get(ParityExceptionFilter))`.
 *
 * Other transports (GraphQL, microservices) get what Nest gives them without this filter. Keep it off WebSocket
 * gateways: there, a filter that is asked is the only one that could answer.
 */
@Injectable()
@Catch(AuthenticationError)
export class ParityExceptionFilter implements ExceptionFilter<AuthenticationError> {
  private readonly logger = new Logger(ParityExceptionFilter.name);

  constructor(
    private readonly host: HttpAdapterHost,
    @Optional() private readonly oauth?: AtpOAuthService,
    @Optional()
    @Inject(PARITY_HTTP_OPTIONS)
    private readonly options: ResolvedHttpOptions = resolveHttpOptions(),
  ) {}

  catch(error: AuthenticationError, context: ArgumentsHost): void | Promise<void> {
    if (context.getType() === 'http') return this.answer(error, context);
    // Nothing is "not handled" to Nest, which goes on by itself; only a gateway's clients would never hear of it.
    if (context.getType() === 'ws')
      this.logger.error(`${error.message} (Not answered: this filter answers HTTP.)`);
  }

  /** Never throws: Nest does not look after a filter's promise, and an unhandled rejection ends the process. */
  private async answer(error: AuthenticationError, context: ArgumentsHost): Promise<void> {
    const { httpAdapter } = this.host;
    const request = context.switchToHttp().getRequest<HttpRequest>();
    const response = context.switchToHttp().getResponse<unknown>();
    const method = String(httpAdapter.getRequestMethod(request));
    const returnTo = returnPath(request, method, String(httpAdapter.getRequestUrl(request)));
    const isSent = (): boolean => httpAdapter.isHeadersSent(response);
    // Whoever began to answer has thrown since: nobody else would end it.
    if (isSent()) return void httpAdapter.end(response);
    const url = await this.signInUrl(error, returnTo);
    if (isSent()) return;
    const { respond } = this.options;
    const isPage = respond === 'redirect' || (respond === 'auto' && wantsPage(request));
    httpAdapter.setHeader(response, 'Cache-Control', 'no-store');
    if (isPage && url !== null) {
      httpAdapter.setHeader(response, 'Location', url);
      httpAdapter.reply(response, undefined, HttpStatus.SEE_OTHER);
    } else if (isPage) {
      httpAdapter.setHeader(response, 'Content-Type', 'text/plain; charset=utf-8');
      httpAdapter.reply(response, PAGE, HttpStatus.UNAUTHORIZED);
    } else {
      // The handler may have set a type for what it wanted to answer.
      httpAdapter.setHeader(response, 'Content-Type', 'application/json; charset=utf-8');
      httpAdapter.reply(response, bodyOf(error, url), HttpStatus.UNAUTHORIZED);
    }
  }

  private async signInUrl(error: AuthenticationError, returnTo: string): Promise<string | null> {
    const did = error.did ?? null;
    try {
      return await signInUrl(this.options.signInUrl, this.oauth, { did, returnTo, error });
    } catch (reason) {
      const words = reasonOf(reason);
      this.logger.warn(`No URL for ${did ?? 'an account'} to sign in again: ${words}`);
      return null;
    }
  }
}

function bodyOf(error: AuthenticationError, authorizeUrl: string | null): ReauthenticationRequired {
  return {
    error: 'reauthentication_required',
    did: error.did ?? null,
    authorizeUrl,
    saved: error.committed,
    ...(error instanceof MissingScopeError && { scope: error.scope }),
  };
}
