import { checkNames } from '../../../model/option-checks.js';
import { follow } from '../feed/feed.js';
import { feedTiming, type FeedTiming } from '../feed/feed-timing.js';
import type { OpenOptions, RecordSource, SourceBatch } from '../record-source.js';
import { sourceAddress, type SourceAddress } from '../source-address.js';
import { FirehoseFeed } from './firehose.feed.js';

export interface FirehoseOptions {
  /** A PDS or a relay: `'wss://…'`, `'https://…'`, or `'ws://…'` and `'http://…'` on this machine. */
  readonly service: string;
}

/**
 * Follows `com.atproto.sync.subscribeRepos` of a PDS or a relay
 * (https://atproto.com/specs/sync#firehose).
 *
 * The bytes of each record are checked against its CID, and each commit against the one before. Signatures
 * are not checked: the service is believed that it checked them, as relays do. Accounts and collections are
 * filtered here, after all that the service tells has been received.
 *
 * @throws ParityOptionsError
 */
export const firehose = (options: FirehoseOptions): RecordSource => new FirehoseSource(options);

export class FirehoseSource implements RecordSource {
  readonly name: string;
  readonly filtersAccounts = true;
  onSkipped?: (reason: string) => void;
  onInterrupted?: (reason: string) => void;
  private readonly address: SourceAddress;

  constructor(
    options: FirehoseOptions,
    private readonly timing: FeedTiming = feedTiming,
  ) {
    checkNames<FirehoseOptions>('firehose()', options, { service: true });
    this.address = sourceAddress('firehose({ service })', options.service, 'wss://relay.example.com');
    this.name = `firehose:${this.address.host}`;
  }

  open(options: OpenOptions): AsyncIterable<SourceBatch> {
    const feed = new FirehoseFeed(this.address, options, (reason) => this.onSkipped?.(reason));
    return follow(feed, this, this.timing, options.signal);
  }
}
