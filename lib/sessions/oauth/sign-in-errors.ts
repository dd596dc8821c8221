import { OAuthCallbackError } from '@atproto/oauth-client-node';
import type { ParityError } from '../../errors/parity.error.js';
import { SignInError } from '../../errors/sign-in.error.js';
import type { SessionLogger } from '../session-logger.js';
import { foreignWords, refusalCode, signInFailure } from './sign-in-failure.js';

/** Logs why a sign-in failed, and gives the error that tells the visitor what to do about it. */
export class SignInErrors {
  constructor(private readonly logger: SessionLogger) {}

  /** @param query of the callback, whose values go into neither the error nor the log */
  ofCallback(error: unknown, query: URLSearchParams, returnTo: string | null): ParityError {
    // The callback error itself holds the query, code included, which belongs in no log.
    const cause = error instanceof OAuthCallbackError ? error.cause : error;
    const refusal = query.get('error');
    if (refusal === 'access_denied') {
      return new SignInError('access-denied', 'The user did not allow the sign-in.', {}, returnTo);
    }
    if (cause !== undefined) return this.of(cause, 'the account', returnTo);
    this.logger.warn(`A sign-in was called back with an answer that is no use: ${foreignWords(error)}`);
    return new SignInError('other', `The sign-in failed${refusalCode(refusal)}.`, {}, returnTo);
  }

  of(error: unknown, account: string, returnTo: string | null): ParityError {
    const failure = signInFailure(error, account, returnTo);
    if (failure.cause !== error) return failure;
    const line = `${failure.message} (${foreignWords(error)})`;
    // A misspelled handle concerns its visitor only.
    if (failure instanceof SignInError && failure.reason === 'handle-not-found') this.logger.debug(line);
    else this.logger.warn(line);
    return failure;
  }
}
