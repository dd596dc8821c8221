import { ParityError } from './parity.error.js';

/**
 * Another worker has the lane by now. This one sends nothing more; the other finds at the PDS what was
 * written, and settles it.
 */
export class LeaseLostError extends ParityError {
  readonly code = 'LEASE_LOST';

  constructor(did: string) {
    super(`The lease of ${did} was lost; the worker that has it now goes on.`, { did });
  }
}
