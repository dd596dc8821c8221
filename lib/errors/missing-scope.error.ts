import { AuthenticationError } from './authentication.error.js';
import type { ParityErrorContext } from './parity.error.js';

/** The session lives, but the user did not grant a scope that this write needs. */
export class MissingScopeError extends AuthenticationError {
  override readonly code = 'MISSING_SCOPE';

  /** @param scope the scope that is missing, such as `repo:app.bsky.feed.post?action=create` */
  constructor(
    readonly scope: string,
    message = `The session lacks the scope '${scope}'. Add it to the client metadata's scope and let the user sign in again.`,
    context: ParityErrorContext = {},
  ) {
    super(message, context);
  }
}
