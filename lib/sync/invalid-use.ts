import type { ParityErrorContext } from '../errors/parity.error.js';
import { ParityOptionsError } from '../errors/parity-options.error.js';
import { SyncResult } from '../model/sync-result.js';

/** The result of a call that its entity does not support. */
export const invalidUse = (reason: string, about: ParityErrorContext): SyncResult =>
  new SyncResult('failed', { reason, error: new ParityOptionsError(reason, about) });
