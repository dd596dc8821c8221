import type { FeedConnection } from '../feed/feed-socket.js';
import {
  accountEvent,
  fieldsOf,
  identityEvent,
  jsonOf,
  positionOf,
  textOf,
  type Fields,
} from '../feed/fields.js';
import type { JetstreamDialect, JetstreamMessage, JetstreamRequest } from './jetstream-dialect.js';

/** Limits of the service; what exceeds them is asked for unfiltered, and filtered here. */
const MOST_ACCOUNTS = 10_000;
const MOST_COLLECTIONS = 100;
/** More do not fit into a URL that every proxy takes. */
const MOST_ACCOUNTS_IN_URL = 50;

const ROLL_BACK_US = 5_000_000;
const LOOK_BACK_HOURS = 24;

/**
 * `/subscribe`, JSON messages. A position is a time in microseconds. Several events may have one, and a host
 * may tell them in another order than it wrote them, so that a position is rolled back some seconds.
 */
export class JetstreamV1 implements JetstreamDialect {
  readonly name = 'jetstream-v1';

  connection(request: JetstreamRequest): FeedConnection {
    const url = request.address.ws('/subscribe');
    for (const nsid of collectionsOf(request)) url.searchParams.append('wantedCollections', nsid);
    if (isLong(request)) url.searchParams.set('requireHello', 'true');
    else for (const did of accountsOf(request)) url.searchParams.append('wantedDids', did);
    if (request.position !== null)
      url.searchParams.set('cursor', String(Math.max(0, request.position - ROLL_BACK_US)));
    return { url };
  }

  hello(request: JetstreamRequest): string | null {
    if (!isLong(request)) return null;
    const payload = { wantedCollections: collectionsOf(request), wantedDids: accountsOf(request) };
    return JSON.stringify({ type: 'options_update', payload });
  }

  /** The service itself does not say so: it begins with the oldest event that it has. */
  isTooOld(position: number): string | null {
    const hours = (Date.now() * 1_000 - position) / 3_600_000_000;
    if (hours < LOOK_BACK_HOURS) return null;
    return `the last event is ${Math.floor(hours)} hours old, and Jetstream keeps ${LOOK_BACK_HOURS}`;
  }

  read(message: Buffer): JetstreamMessage {
    const frame = fieldsOf(jsonOf(message), 'it');
    const position = positionOf(frame, 'time_us');
    const did = textOf(frame, 'did');
    const kind = textOf(frame, 'kind');
    const about = (): Fields => fieldsOf(frame[kind], `its '${kind}'`);
    if (kind === 'commit') return { position, commit: { did, fields: about() } };
    if (kind === 'account') return { position, event: accountEvent(did, about()) };
    if (kind === 'identity') return { position, event: identityEvent(did, about()) };
    return { position, unknown: `its kind '${kind}' is unknown` };
  }
}

const accountsOf = ({ accounts }: JetstreamRequest): readonly string[] =>
  accounts === null || accounts.length > MOST_ACCOUNTS ? [] : accounts;

const collectionsOf = ({ collections }: JetstreamRequest): readonly string[] =>
  collections.length > MOST_COLLECTIONS ? [] : collections;

const isLong = (request: JetstreamRequest): boolean => accountsOf(request).length > MOST_ACCOUNTS_IN_URL;
