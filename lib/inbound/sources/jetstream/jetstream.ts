import { checkNames, names, wrong } from '../../../model/option-checks.js';
import { follow } from '../feed/feed.js';
import { feedTiming, type FeedTiming } from '../feed/feed-timing.js';
import type { OpenOptions, RecordSource, SourceBatch } from '../record-source.js';
import { sourceAddress, type SourceAddress } from '../source-address.js';
import type { JetstreamDialect } from './jetstream-dialect.js';
import { JetstreamFeed } from './jetstream.feed.js';
import { JetstreamV1 } from './jetstream-v1.js';
import { JetstreamV2 } from './jetstream-v2.js';

export interface JetstreamOptions {
  /**
   * The hosts, as `'wss://…'` or by name, in the order in which they are tried. Positions mean nothing to
   * another host: going to the next one is a `gap`, after which all accounts are imported again.
   */
  readonly hosts: readonly string[];
  /** 1: `/subscribe`; 2: `network.bsky.jetstream.subscribeEvents`. Default 2. */
  readonly version?: 1 | 2;
}

/**
 * Follows a Jetstream, which filters accounts and collections and speaks JSON.
 *
 * Nothing is signed: the host is believed. A record is checked against the CID that the host tells, which
 * notices damage, not forgery. Version 1 does not tell `sync`, nor that a position is too old: a position of
 * more than 24 hours is a `gap`.
 *
 * @throws ParityOptionsError
 */
export const jetstream = (options: JetstreamOptions): RecordSource => new JetstreamSource(options);

export class JetstreamSource implements RecordSource {
  readonly name: string;
  readonly filtersAccounts = true;
  onSkipped?: (reason: string) => void;
  onInterrupted?: (reason: string) => void;
  private readonly hosts: readonly SourceAddress[];
  private readonly dialect: JetstreamDialect;

  constructor(
    options: JetstreamOptions,
    private readonly timing: FeedTiming = feedTiming,
  ) {
    checkNames<JetstreamOptions>('jetstream()', options, { hosts: true, version: true });
    this.hosts = hostsOf(options.hosts);
    this.dialect = dialectOf(options.version ?? 2);
    // A host that is added for emergencies leaves the name, and so the position, as it is.
    this.name = `${this.dialect.name}:${this.hosts[0]!.host}`;
  }

  open(options: OpenOptions): AsyncIterable<SourceBatch> {
    const feed = new JetstreamFeed(this.dialect, this.hosts, options, (reason) => this.onSkipped?.(reason));
    return follow(feed, this, this.timing, options.signal);
  }
}

const hostsOf = (hosts: unknown): SourceAddress[] =>
  names('jetstream({ hosts })', hosts).map((host) =>
    sourceAddress(
      'jetstream({ hosts })',
      host.includes('://') ? host : `wss://${host}`,
      'wss://jetstream.example.com',
    ),
  );

function dialectOf(version: unknown): JetstreamDialect {
  if (version === 1) return new JetstreamV1();
  if (version === 2) return new JetstreamV2();
  throw wrong('jetstream({ version })', version, '1 or 2');
}
