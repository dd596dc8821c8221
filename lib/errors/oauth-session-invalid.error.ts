import { AuthenticationError } from './authentication.error.js';

/** The account has no session any more: send the user to sign in again. */
export class OAuthSessionInvalidError extends AuthenticationError {
  override readonly code = 'OAUTH_SESSION_INVALID';
}
