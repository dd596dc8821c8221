import { ParityError } from './parity.error.js';

/**
 * What keeps sessions, sign-ins under way, their lock or their credentials failed; it may work later. The message names
 * the error and never has its words, nor is it the cause: a store may quote the session that it was given.
 */
export class SessionStoreError extends ParityError {
  readonly code = 'SESSION_STORE_FAILED';
}
