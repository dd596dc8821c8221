import type { FeedConnection } from '../feed/feed-socket.js';
import {
  accountEvent,
  fieldsOf,
  identityEvent,
  jsonOf,
  positionOf,
  textOf,
  Unreadable,
  type Fields,
} from '../feed/fields.js';
import type { JetstreamDialect, JetstreamMessage, JetstreamRequest } from './jetstream-dialect.js';

/** Limits of the service; what exceeds them is asked for unfiltered, and filtered here. */
const MOST_ACCOUNTS = 10_000;
const MOST_COLLECTIONS = 100;

const NSID = 'network.bsky.jetstream.subscribeEvents';
/** Frames of one JSON object each; without it the service speaks another framing. */
const PROTOCOL = 'xrpc.v1.json';

/**
 * `network.bsky.jetstream.subscribeEvents`. A position is a sequence number of the host, which begins with
 * the event that has it.
 */
export class JetstreamV2 implements JetstreamDialect {
  readonly name = 'jetstream-v2';

  connection({ address, position, accounts, collections }: JetstreamRequest): FeedConnection {
    const url = address.ws(`/xrpc/${NSID}`);
    for (const kind of ['commit', 'account', 'identity', 'sync']) url.searchParams.append('kinds', kind);
    if (collections.length <= MOST_COLLECTIONS)
      for (const nsid of collections) url.searchParams.append('collections', nsid);
    if (accounts !== null && accounts.length <= MOST_ACCOUNTS)
      for (const did of accounts) url.searchParams.append('dids', did);
    if (position !== null) url.searchParams.set('cursor', String(position));
    return { url, protocol: PROTOCOL };
  }

  hello(): null {
    return null;
  }

  isTooOld(): null {
    return null;
  }

  read(message: Buffer): JetstreamMessage {
    const frame = fieldsOf(jsonOf(message), 'it');
    if (frame['$type'] === 'error')
      return { error: textOf(frame, 'error'), message: String(frame['message'] ?? '') };
    if (frame['$type'] !== 'message') throw new Unreadable(`its type '${String(frame['$type'])}' is unknown`);
    const payload = fieldsOf(frame['payload'], 'its payload');
    const [nsid, kind] = textOf(payload, '$type').split('#');
    if (kind === 'info') return { notice: payload };
    const position = positionOf(payload, 'seq');
    if (nsid !== NSID) return { position, unknown: `its type '${String(nsid)}' is unknown` };
    const did = textOf(payload, 'did');
    const about = (name: string): Fields => fieldsOf(payload[name], `its '${name}'`);
    if (kind === 'commit') return { position, commit: { did, fields: payload } };
    if (kind === 'account') return { position, event: accountEvent(did, about('account')) };
    if (kind === 'identity') return { position, event: identityEvent(did, about('identity')) };
    if (kind === 'sync') return { position, event: { kind: 'sync', did, rev: textOf(about('sync'), 'rev') } };
    return { position, unknown: `its kind '${String(kind)}' is unknown` };
  }
}
