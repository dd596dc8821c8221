import { ParityError, type ParityErrorContext } from './parity.error.js';

/**
 * Not now: the same may work later as it is. A mapper, `shouldAutoSync`, `shouldAutoUnsync` or `syncAsDid`
 * throws it when what they ask is away (a service, a file); the sync is then kept and tried again, and spends
 * no attempt. It holds up no other entity.
 */
export class RetryLaterError extends ParityError {
  readonly code = 'RETRY_LATER';
  /** Not tried again by itself before; undefined: the module waits longer each time. */
  declare readonly retryAt: Date | undefined;

  constructor(
    message: string,
    { retryAt, ...context }: ParityErrorContext & { readonly retryAt?: Date } = {},
  ) {
    super(message, context);
    if (retryAt !== undefined) this.retryAt = retryAt;
  }
}
