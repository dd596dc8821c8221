import type { Feed } from '../feed/feed.js';
import { FeedError } from '../feed/feed-error.js';
import type { FeedConnection, FeedSocket } from '../feed/feed-socket.js';
import { noticeOf, textOf, Unreadable } from '../feed/fields.js';
import { jsonCommitEvent } from '../feed/json-commit.js';
import { Wanted } from '../feed/wanted.js';
import type { OpenOptions, SourceEvent } from '../record-source.js';
import type { SourceAddress } from '../source-address.js';
import type { JetstreamCommit, JetstreamDialect, JetstreamRequest } from './jetstream-dialect.js';

/** Failures in a row after which another host is tried, which costs a gap. */
const FAILURES_PER_HOST = 3;

/** The hosts of a Jetstream, one at a time. A position means nothing to another host. */
export class JetstreamFeed implements Feed {
  cursor: string | null;
  private readonly wanted: Wanted;
  /** The host and the position of the cursor. */
  private readonly at: { host: string; position: number | null };
  private current: number;
  private failures = 0;
  private hasFailed = false;
  /** Why the current host cannot go on after the position. */
  private lost: string | null = null;

  constructor(
    private readonly dialect: JetstreamDialect,
    private readonly hosts: readonly SourceAddress[],
    private readonly options: OpenOptions,
    private readonly skip: (reason: string) => void,
  ) {
    this.cursor = options.cursor;
    this.wanted = new Wanted(options);
    this.at = parse(options.cursor);
    this.current = Math.max(
      0,
      hosts.findIndex(({ host }) => host === this.at.host),
    );
  }

  connection(): FeedConnection {
    return this.dialect.connection(this.request());
  }

  opened(socket: FeedSocket): SourceEvent[] {
    const hello = this.dialect.hello(this.request());
    if (hello !== null) socket.send(hello);
    const reason = this.gapReason();
    return reason === null ? [] : [{ kind: 'gap', reason }];
  }

  read(message: Buffer): SourceEvent[] {
    try {
      return this.eventsOf(message);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      this.skip(`a message of ${this.host.host}: ${error.message}`);
      return [];
    }
  }

  failed({ code, message }: FeedError): void {
    this.hasFailed = true;
    if (code === 'CursorTooOld' || code === 'FutureCursor') this.lost = message;
    const isStuck = ++this.failures >= (this.position === null ? 1 : FAILURES_PER_HOST);
    if (!isStuck || this.lost !== null) return;
    this.failures = 0;
    this.current = (this.current + 1) % this.hosts.length;
  }

  private eventsOf(message: Buffer): SourceEvent[] {
    const told = this.dialect.read(message);
    this.failures = 0;
    if ('error' in told)
      throw new FeedError(`${this.host.host}: ends with ${told.error} (${told.message})`, {
        code: told.error,
      });
    if ('notice' in told) {
      if (told.notice['name'] !== 'OutdatedCursor')
        throw new Unreadable(`its notice '${String(told.notice['name'])}' is unknown`);
      return [{ kind: 'gap', reason: `${this.host.host} says ${noticeOf(told.notice)}` }];
    }
    this.at.host = this.host.host;
    this.at.position = told.position;
    this.cursor = `${this.at.host} ${told.position}`;
    this.lost = null;
    if ('unknown' in told) throw new Unreadable(told.unknown);
    if ('event' in told) return this.wanted.event(told.event) ? [told.event] : [];
    return this.commitEvents(told.commit);
  }

  private commitEvents({ did, fields }: JetstreamCommit): SourceEvent[] {
    if (!this.wanted.account(did)) return [];
    const collection = textOf(fields, 'collection');
    if (!this.wanted.collection(collection)) return [];
    const rev = textOf(fields, 'rev');
    try {
      return [jsonCommitEvent({ did, rev, operation: textOf(fields, 'operation'), fields, live: true })];
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      this.skip(`'${collection}/${String(fields['rkey'])}' of ${did} at ${rev}: ${error.message}`);
      return [{ kind: 'sync', did, rev }];
    }
  }

  private get host(): SourceAddress {
    return this.hosts[this.current]!;
  }

  /** Null where the current host cannot go on after the cursor. */
  private get position(): number | null {
    return this.at.host === this.host.host && this.lost === null ? this.at.position : null;
  }

  private gapReason(): string | null {
    if (this.lost !== null) return this.lost;
    if (this.position !== null) return this.dialect.isTooOld(this.position);
    if (this.at.position !== null) return `${this.host.host} answers instead of ${this.at.host}`;
    if (this.hasFailed) return 'the connection failed before the first event, which tells the position';
    return null;
  }

  private request(): JetstreamRequest {
    const { accounts, collections } = this.options;
    return { address: this.host, position: this.position, accounts, collections };
  }
}

/** A cursor is `<host> <position>`. One that is none is that of an unknown host: a gap is told. */
function parse(cursor: string | null): { host: string; position: number | null } {
  if (cursor === null) return { host: '', position: null };
  const [host = '', position = ''] = cursor.split(' ');
  return { host, position: /^\d{1,16}$/.test(position) ? Number(position) : 0 };
}
