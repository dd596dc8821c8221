import { WebhookRefusedError } from '../../../errors/webhook-refused.error.js';

const MOST_WAITING = 1_000;
const MOST_IN_A_BATCH = 500;

/** One request, whose answer waits until its event is committed. */
interface Delivery {
  readonly body: unknown;
  committed(): void;
  refuse(error: WebhookRefusedError): void;
}

/** The requests that wait for one iteration of a webhook's source. */
export class Deliveries implements Disposable {
  private readonly waiting: Delivery[] = [];
  private told: readonly Delivery[] = [];
  private isClosed = false;
  private failure: Error | null = null;
  private wake: () => void = () => {};

  /**
   * @returns once the event is committed
   * @throws WebhookRefusedError when too many wait already, or the iteration ends before
   */
  async take(body: unknown): Promise<void> {
    if (this.isClosed) throw ended();
    if (this.waiting.length >= MOST_WAITING)
      throw new WebhookRefusedError('Too many events wait already.', { status: 503 });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.waiting.push({ body, committed: resolve, refuse: reject });
    this.wake();
    await promise;
  }

  /**
   * The bodies that wait; those before are committed.
   *
   * @returns null once the iteration is closed
   * @throws the error that the iteration was failed with
   */
  async next(): Promise<readonly unknown[] | null> {
    for (const { committed } of this.told) committed();
    this.told = [];
    if (this.waiting.length === 0 && !this.isClosed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.wake = resolve;
      await promise;
    }
    if (this.failure !== null) throw this.failure;
    if (this.isClosed) return null;
    this.told = this.waiting.splice(0, MOST_IN_A_BATCH);
    return this.told.map(({ body }) => body);
  }

  /** Takes nothing more. What is told may still be committed. */
  close(failure: Error | null = null): void {
    this.isClosed = true;
    this.failure ??= failure;
    for (const { refuse } of this.waiting.splice(0)) refuse(ended());
    this.wake();
  }

  /** The iteration is over: what is told and was not committed is refused. */
  [Symbol.dispose](): void {
    this.close();
    for (const { refuse } of this.told) refuse(ended());
  }
}

const ended = (): WebhookRefusedError =>
  new WebhookRefusedError('The source ended before the event was committed.', { status: 503 });
