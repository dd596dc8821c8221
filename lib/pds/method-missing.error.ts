import { PdsUnavailableError } from '../errors/pds-unavailable.error.js';

/** In ms. Only the operator of the PDS can change that, so asking sooner is of no use. */
const PAUSE_MS = 3_600_000;

/**
 * The PDS lacks a method without which nothing can be written. That is neither an outage nor the fault of a
 * record.
 */
export class MethodMissingError extends PdsUnavailableError {
  readonly retryAt = new Date(Date.now() + PAUSE_MS);

  constructor(
    readonly method: string,
    answer: string,
    { did, pds, cause }: { did: string; pds?: string | undefined; cause: unknown },
  ) {
    super('', { did, cause });
    this.message =
      `The PDS${pds ? ` ${pds}` : ''} does not have the method ${method} (${answer}), without which nothing can be ` +
      `written for ${did}. Its operator has to update it; it is asked again after ${this.retryAt.toISOString()}.`;
  }
}
