import { ParityError } from './parity.error.js';

/**
 * A store of sessions, sign-ins under way, their lock or their credentials failed; it may work later. The
 * message names the store's error, and neither quotes it nor has it as its cause: a store may quote the
 * session that it was given.
 */
export class SessionStoreError extends ParityError {
  readonly code = 'SESSION_STORE_FAILED';
}
