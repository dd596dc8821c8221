import type { Feed } from '../feed/feed.js';
import { FeedError } from '../feed/feed-error.js';
import type { FeedConnection } from '../feed/feed-socket.js';
import {
  accountEvent,
  identityEvent,
  noticeOf,
  positionOf,
  textOf,
  Unreadable,
  type Fields,
} from '../feed/fields.js';
import { Wanted } from '../feed/wanted.js';
import type { OpenOptions, SourceEvent } from '../record-source.js';
import type { SourceAddress } from '../source-address.js';
import { AccountChains } from './account-chains.js';
import { commitEvents } from './commit-events.js';
import { readFrame } from './frame.js';

const PATH = '/xrpc/com.atproto.sync.subscribeRepos';

export class FirehoseFeed implements Feed {
  cursor: string | null;
  private readonly wanted: Wanted;
  private readonly chains = new AccountChains();
  private hasFailed = false;
  /** Why the service cannot go on after the cursor. Then it starts with what happens from now on. */
  private lost: string | null = null;

  constructor(
    private readonly address: SourceAddress,
    options: OpenOptions,
    private readonly skip: (reason: string) => void,
  ) {
    this.cursor = options.cursor;
    this.wanted = new Wanted(options);
  }

  connection(): FeedConnection {
    const url = this.address.ws(PATH);
    if (this.cursor !== null && this.lost === null) url.searchParams.set('cursor', this.cursor);
    return { url };
  }

  opened(): SourceEvent[] {
    const isResumed = this.cursor !== null && this.lost === null;
    if (isResumed || !this.hasFailed) return [];
    return [gap(this.lost ?? 'the connection failed before the first event, which tells the position')];
  }

  failed(): void {
    this.hasFailed = true;
  }

  read(message: Buffer): SourceEvent[] {
    try {
      return this.frameEvents(message);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      this.skip(`a message of ${this.address.host}: ${error.message}`);
      return [];
    }
  }

  private frameEvents(message: Buffer): SourceEvent[] {
    const frame = readFrame(message);
    if (frame.error !== undefined) throw this.refused(frame.error, frame.message);
    const { type, body } = frame;
    if (type === '#info') return this.notice(body);
    const position = positionOf(body, 'seq');
    try {
      return this.eventsOf(type, body);
    } finally {
      // What is skipped is passed, too: told again, it would not be read either.
      if (this.lost !== null || position > Number(this.cursor ?? -1)) this.cursor = String(position);
      this.lost = null;
    }
  }

  private eventsOf(type: string, body: Fields): SourceEvent[] {
    if (type === '#commit') return commitEvents(body, this.wanted, this.chains, this.skip);
    if (type !== '#sync' && type !== '#account' && type !== '#identity')
      throw new Unreadable(`its type '${type}' is unknown`);
    const did = textOf(body, 'did');
    if (!this.wanted.account(did)) return [];
    if (type === '#account') return [accountEvent(did, body)];
    if (type === '#identity') return [identityEvent(did, body)];
    const rev = textOf(body, 'rev');
    this.chains.restart(did, { rev, data: null });
    return [{ kind: 'sync', did, rev }];
  }

  private notice(body: Fields): SourceEvent[] {
    if (body['name'] === 'OutdatedCursor') return [gap(`${this.address.host} says ${noticeOf(body)}`)];
    throw new Unreadable(`its notice '${String(body['name'])}' is unknown`);
  }

  /** Only a cursor in the future is lost. After `ConsumerTooSlow` the service goes on after the cursor. */
  private refused(code: string, message: string): FeedError {
    const text = `${this.address.host}: ends with ${code}${message === '' ? '' : ` (${message})`}`;
    if (code === 'FutureCursor') this.lost = text;
    return new FeedError(text, { code });
  }
}

const gap = (reason: string): SourceEvent => ({ kind: 'gap', reason });
