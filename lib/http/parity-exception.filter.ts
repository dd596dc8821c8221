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
import { PdsUnavailableError } from '../errors/pds-unavailable.error.js';
import { reasonOf } from '../errors/reason-of.js';
import { SessionStoreError } from '../errors/session-store.error.js';
import { SignInError, type SignInFailureReason } from '../errors/sign-in.error.js';
import { AtpOAuthService } from '../sessions/oauth/atp-oauth.service.js';
import { PARITY_HTTP_OPTIONS, resolveHttpOptions, type ResolvedHttpOptions } from './http-options.js';
import type { HttpRequest } from './http-request.js';
import { returnPath } from './return-path.js';
import { signInUrl } from './sign-in-url.js';
import { wantsPage } from './wants-page.js';

/** The body of the 401 that programs get. */
export interface ReauthenticationRequired {
  readonly error: 'reauthentication_required';
  /** The account that has to sign in. */
  readonly did: string | null;
  /**
   * Where the user signs in (a path if `http.signInUrl` is one); null while that cannot be told: try again
   * later.
   */
  readonly authorizeUrl: string | null;
  /** The rows of the request are in the database; only their records are missing. */
  readonly saved: true;
  /** The scope that the user did not grant, where that is the reason. */
  readonly scope?: string;
}

/** The body of the 400 for a sign-in that failed. */
export interface SignInFailed {
  readonly error: 'sign_in_failed';
  readonly reason: SignInFailureReason;
  /** For the user; pages get it as text. It tells nothing of internal causes. */
  readonly message: string;
}

/** The body of the 503 while a PDS, or the store of sessions, does not answer. */
export interface TemporarilyUnavailable {
  readonly error: 'temporarily_unavailable';
  readonly message: string;
}

const UNAVAILABLE = 'This is not possible at the moment. Try again later.';
const PAGE = 'Your change is saved, but it is not published: sign in again, then it can be.\n';

type Answered = AuthenticationError | SignInError | PdsUnavailableError | SessionStoreError;

/**
 * Answers a request that met an account which has to sign in again.
 *
 * - Programs get 401 with a {@link ReauthenticationRequired}; people are redirected (303) to the sign-in; see
 *   `ParityHttpOptions`.
 * - A sign-in that fails is answered with 400 and {@link SignInFailed}, an outage with 503 and {@link
 *   TemporarilyUnavailable}.
 * - Bind it with `@UseFilters()`, `APP_FILTER`, or `app.useGlobalFilters(app.get(ParityExceptionFilter))`.
 * - Other transports (GraphQL, microservices) get what Nest gives them without this filter.
 * - Keep it off WebSocket gateways: a gateway asks one filter only, and this one would not answer.
 */
@Injectable()
@Catch(AuthenticationError, SignInError, PdsUnavailableError, SessionStoreError)
export class ParityExceptionFilter implements ExceptionFilter<Answered> {
  private readonly logger = new Logger(ParityExceptionFilter.name);

  constructor(
    private readonly host: HttpAdapterHost,
    @Optional() private readonly oauth?: AtpOAuthService,
    @Optional()
    @Inject(PARITY_HTTP_OPTIONS)
    private readonly options: ResolvedHttpOptions = resolveHttpOptions(),
  ) {}

  catch(error: Answered, context: ArgumentsHost): void | Promise<void> {
    if (context.getType() === 'http') return this.answer(error, context);
    // Nest would go on by itself, and the clients of a gateway would never be answered.
    if (context.getType() === 'ws')
      this.logger.error(`${error.message} (Not answered: this filter answers HTTP.)`);
  }

  /** Never throws: Nest does not await a filter's promise, and an unhandled rejection ends the process. */
  private async answer(error: Answered, context: ArgumentsHost): Promise<void> {
    const { httpAdapter } = this.host;
    const request = context.switchToHttp().getRequest<HttpRequest>();
    const response = context.switchToHttp().getResponse<unknown>();
    // The handler has begun to answer and then thrown, so only this filter can end the response.
    if (httpAdapter.isHeadersSent(response)) return void httpAdapter.end(response);
    if (!(error instanceof AuthenticationError)) return this.tellFailure(error, request, response);
    const method = String(httpAdapter.getRequestMethod(request));
    const returnTo = returnPath(request, method, String(httpAdapter.getRequestUrl(request)));
    const url = await this.signInUrl(error, returnTo);
    if (httpAdapter.isHeadersSent(response)) return;
    if (!this.isPage(request)) return this.reply(response, HttpStatus.UNAUTHORIZED, bodyOf(error, url));
    if (url === null) return this.reply(response, HttpStatus.UNAUTHORIZED, PAGE);
    httpAdapter.setHeader(response, 'Location', url);
    this.reply(response, HttpStatus.SEE_OTHER);
  }

  private tellFailure(
    error: Exclude<Answered, AuthenticationError>,
    request: HttpRequest,
    response: unknown,
  ): void {
    // This log is the only place where the operator learns of it.
    if (error instanceof SessionStoreError) this.logger.error(error.message);
    const [status, body]: [HttpStatus, SignInFailed | TemporarilyUnavailable] =
      error instanceof SignInError
        ? [HttpStatus.BAD_REQUEST, { error: 'sign_in_failed', reason: error.reason, message: error.message }]
        : [HttpStatus.SERVICE_UNAVAILABLE, { error: 'temporarily_unavailable', message: UNAVAILABLE }];
    this.reply(response, status, this.isPage(request) ? `${body.message}\n` : body);
  }

  private isPage(request: HttpRequest): boolean {
    const { respond } = this.options;
    return respond === 'redirect' || (respond === 'auto' && wantsPage(request));
  }

  /** @param body text for people, an object for programs */
  private reply(response: unknown, status: HttpStatus, body?: string | object): void {
    const { httpAdapter } = this.host;
    httpAdapter.setHeader(response, 'Cache-Control', 'no-store');
    if (body !== undefined) {
      // The handler may have set a type for the answer that it wanted to give.
      const type = typeof body === 'string' ? 'text/plain' : 'application/json';
      httpAdapter.setHeader(response, 'Content-Type', `${type}; charset=utf-8`);
    }
    httpAdapter.reply(response, body, status);
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
