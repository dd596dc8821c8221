const messages = new Map([
  ['OAUTH_SESSION_INVALID', 'Your sign-in at your PDS has ended. Sign in again, and it follows by itself.'],
  ['MISSING_SCOPE', 'You did not allow the blog to write posts. Sign in again and allow it.'],
  ['AUTHENTICATION_FAILED', 'Your PDS does not let you write now. Is the account active?'],
]);

/** What the sign-in page says to somebody whom ParityExceptionFilter sent there; `reason` is the code of its error. */
export function reauthenticationMessage(reason: unknown): string | null {
  const message = messages.get(String(reason));
  return message === undefined ? null : `Your change is saved here, but not at your PDS. ${message}`;
}
