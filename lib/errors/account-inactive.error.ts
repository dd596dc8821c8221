import { AuthenticationError } from './authentication.error.js';

/**
 * The account is deactivated, suspended or taken down at its PDS. No sign-in helps; what waits goes on once
 * the account is active again.
 */
export class AccountInactiveError extends AuthenticationError {}
