import { checkNames } from '../../../model/option-checks.js';
import { follow } from '../feed/feed.js';
import { feedTiming, type FeedTiming } from '../feed/feed-timing.js';
import type { OpenOptions, RecordSource, SourceBatch } from '../record-source.js';
import { sourceAddress, type SourceAddress } from '../source-address.js';
import { TapAdmin } from './tap-admin.js';
import { TapFeed } from './tap.feed.js';

export interface TapOptions {
  /** Where Tap listens, `'http://localhost:2480'`. */
  readonly url: string;
  /** What Tap has in `TAP_ADMIN_PASSWORD`. */
  readonly adminPassword: string;
}

/**
 * Follows a Tap over its websocket. Tap checks signatures, imports the accounts that it is told of, and keeps
 * the position: there is no cursor, and no gap.
 *
 * A message is acknowledged once the effects of its batch are committed; until then Tap sends it again. One
 * source only may be connected to a Tap: it divides its messages between its connections.
 *
 * @throws ParityOptionsError
 */
export const tap = (options: TapOptions): RecordSource => new TapSource(options);

export class TapSource implements RecordSource {
  readonly name: string;
  readonly filtersAccounts = true;
  onSkipped?: (reason: string) => void;
  onInterrupted?: (reason: string) => void;
  private readonly address: SourceAddress;
  private readonly admin: TapAdmin;

  constructor(
    options: TapOptions,
    private readonly timing: FeedTiming = feedTiming,
  ) {
    checkNames<TapOptions>('tap()', options, { url: true, adminPassword: true });
    this.address = sourceAddress('tap({ url })', options.url, 'http://localhost:2480');
    this.admin = new TapAdmin('tap', options.adminPassword);
    this.name = `tap:${this.address.host}`;
  }

  open(options: OpenOptions): AsyncIterable<SourceBatch> {
    const feed = new TapFeed(this.address, this.admin, options, (reason) => this.onSkipped?.(reason));
    return follow(feed, this, this.timing, options.signal);
  }
}
