import { ParityError, type ParityErrorContext } from './parity.error.js';

/**
 * Another worker has the lane by now. This one sends nothing more; the other finds at the PDS what was
 * written, and settles it. Or another process reads the source by now.
 */
export class LeaseLostError extends ParityError {
  readonly code = 'LEASE_LOST';

  constructor(of: string, context: ParityErrorContext = { did: of }) {
    super(`The lease of ${of} was lost; the worker that has it now goes on.`, context);
  }
}
