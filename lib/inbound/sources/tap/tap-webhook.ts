import { setTimeout as sleep } from 'node:timers/promises';
import { WebhookRefusedError } from '../../../errors/webhook-refused.error.js';
import { checkNames } from '../../../model/option-checks.js';
import { FeedError } from '../feed/feed-error.js';
import { feedTiming, type FeedTiming } from '../feed/feed-timing.js';
import { Wanted } from '../feed/wanted.js';
import type { OpenOptions, RecordSource, SourceBatch } from '../record-source.js';
import { sourceAddress, type SourceAddress } from '../source-address.js';
import { TapAdmin } from './tap-admin.js';
import { Deliveries } from './deliveries.js';
import { readTapMessage } from './tap-event.js';

export interface TapWebhookOptions {
  /** What Tap has in `TAP_ADMIN_PASSWORD`; it sends the password with each event. */
  readonly adminPassword: string;
  /**
   * Where Tap listens, to tell it of the accounts to follow. Without it somebody else does: then Tap follows
   * by a collection, or the whole network.
   */
  readonly url?: string;
}

/** A source whose events arrive as HTTP requests of Tap. */
export interface TapWebhookSource extends RecordSource {
  /**
   * Takes one event.
   *
   * @param body of the request: the parsed JSON, or its text
   * @param authorization the header of that name
   * @returns once the effects of the event are committed; answer with 2xx then
   * @throws WebhookRefusedError for a wrong password, and while nothing follows the source; answer with its
   *   `status`, so that Tap sends the event again
   */
  handle(body: unknown, authorization: string | undefined): Promise<void>;
}

/** @throws ParityOptionsError */
export const tapWebhook = (options: TapWebhookOptions): TapWebhookSource => new TapWebhook(options);

export class TapWebhook implements TapWebhookSource {
  readonly name = 'tap-webhook';
  readonly filtersAccounts: boolean;
  onSkipped?: (reason: string) => void;
  onInterrupted?: (reason: string) => void;
  private readonly admin: TapAdmin;
  private readonly address: SourceAddress | null;
  private following: Deliveries | null = null;

  constructor(
    options: TapWebhookOptions,
    private readonly timing: FeedTiming = feedTiming,
  ) {
    checkNames<TapWebhookOptions>('tapWebhook()', options, { adminPassword: true, url: true });
    this.admin = new TapAdmin('tapWebhook', options.adminPassword);
    const { url } = options;
    this.address =
      url === undefined ? null : sourceAddress('tapWebhook({ url })', url, 'http://localhost:2480');
    this.filtersAccounts = this.address !== null;
  }

  async handle(body: unknown, authorization: string | undefined): Promise<void> {
    if (!this.admin.accepts(authorization))
      throw new WebhookRefusedError("The event has not Tap's admin password.", { status: 401 });
    if (this.following === null)
      throw new WebhookRefusedError('Nothing follows the source now.', { status: 503 });
    await this.following.take(bodyOf(body));
  }

  async *open(options: OpenOptions): AsyncGenerator<SourceBatch, void> {
    const { signal } = options;
    const wanted = new Wanted(options);
    using deliveries = new Deliveries();
    // A source that is opened again takes over; what the iteration before has not committed is sent again.
    this.following?.close();
    this.following = deliveries;
    const close = (): void => deliveries.close();
    signal.addEventListener('abort', close, { once: true });
    if (signal.aborted) close();
    void this.addAccounts(options, deliveries);
    try {
      yield { events: [], cursor: null };
      for (let bodies = await deliveries.next(); bodies !== null; bodies = await deliveries.next()) {
        const events = bodies.flatMap((body) => this.eventsOf(body, wanted));
        if (events.length > 0) yield { events, cursor: null };
      }
    } finally {
      signal.removeEventListener('abort', close);
      if (this.following === deliveries) this.following = null;
    }
  }

  private eventsOf(body: unknown, wanted: Wanted): SourceBatch['events'] {
    const { events, skipped } = readTapMessage(body, wanted);
    if (skipped !== null) this.onSkipped?.(skipped);
    return events;
  }

  /** Tries until Tap takes them. A refused password ends the iteration. */
  private async addAccounts({ accounts, signal }: OpenOptions, deliveries: Deliveries): Promise<void> {
    if (this.address === null || accounts === null) return;
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        return await this.admin.addAccounts(this.address, accounts, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof FeedError))
          return deliveries.close(error instanceof Error ? error : new Error(String(error)));
        this.onInterrupted?.(error.message);
        await sleep(this.timing.pause(failures), undefined, { signal }).catch(() => {});
      }
    }
  }
}

/** A body that was not parsed. What is no JSON stays as it is, and is skipped. */
function bodyOf(body: unknown): unknown {
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) return body;
  try {
    return JSON.parse(typeof body === 'string' ? body : Buffer.from(body).toString());
  } catch {
    return undefined;
  }
}
