import { ParityError, type ParityErrorContext } from './parity.error.js';

/**
 * The same sync may work later. A mapper, `shouldAutoSync`, `shouldAutoUnsync` or `syncAsDid` throws it when
 * a service or file that it needs is away. The sync is then kept and tried again, and spends no attempt. It
 * delays no other entity.
 */
export class RetryLaterError extends ParityError {
  readonly code = 'RETRY_LATER';
  /** The earliest time of an automatic retry; undefined: the module waits longer each time. */
  declare readonly retryAt: Date | undefined;

  constructor(
    message: string,
    { retryAt, ...context }: ParityErrorContext & { readonly retryAt?: Date } = {},
  ) {
    super(message, context);
    if (retryAt !== undefined) this.retryAt = retryAt;
  }
}
