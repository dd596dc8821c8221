import { ParityError } from './parity.error.js';

/**
 * The cache of pending syncs failed, did not answer in time, or holds a value that this version cannot read.
 */
export class PendingCacheError extends ParityError {
  readonly code = 'PENDING_CACHE_FAILED';
}
