import { ParityError } from './parity.error.js';

/** Somebody else has the lane by now: nothing more is sent, and what was written is found at the PDS, and settled, by him. */
export class LeaseLostError extends ParityError {
  readonly code = 'LEASE_LOST';

  constructor(did: string) {
    super(`The lease of ${did} was lost; whoever has it now goes on.`, { did });
  }
}
