import { ParityError, type ParityErrorContext } from './parity.error.js';

/**
 * Why a sign-in failed:
 * - `handle-not-found`: no account has this handle (or it is no handle at all): let the user correct it
 * - `access-denied`: the user refused at the PDS
 * - `unknown-state`: the callback belongs to no sign-in that is under way: expired, used already, or forged
 * - `other-browser`: the browser that came back is not the one that began: let the user start again in it
 * - `identity-unavailable`: the account exists, but its identity or its host cannot be used to sign in
 * - `unsafe-return-to`: `returnTo` would leave the application
 * - `other`: the authorization server refused; the log has its reason
 */
export type SignInFailureReason =
  | 'handle-not-found'
  | 'access-denied'
  | 'unknown-state'
  | 'other-browser'
  | 'identity-unavailable'
  | 'unsafe-return-to'
  | 'other';

/** A sign-in failed. A session that the account had before is unchanged, unless an event says otherwise. */
export class SignInError extends ParityError {
  readonly code = 'SIGN_IN_FAILED';

  /** @param returnTo where the user wanted to go when the sign-in began, null where that is unknown */
  constructor(
    readonly reason: SignInFailureReason,
    message: string,
    context: ParityErrorContext = {},
    readonly returnTo: string | null = null,
  ) {
    super(message, context);
  }
}
