import {
  accountEvent,
  fieldsOf,
  flagOf,
  identityEvent,
  positionOf,
  textOf,
  Unreadable,
} from '../feed/fields.js';
import { jsonCommitEvent } from '../feed/json-commit.js';
import type { Wanted } from '../feed/wanted.js';
import type { SourceEvent } from '../record-source.js';

/** One message of Tap, which it sends again until it is acknowledged. */
export interface TapMessage {
  /** Null where not even that is readable; such a message cannot be acknowledged. */
  readonly id: number | null;
  readonly events: readonly SourceEvent[];
  /** Why the message, or its record, is skipped. */
  readonly skipped: string | null;
}

/** Reads the body of a webhook, or a message of the websocket. It throws for nothing that Tap could send. */
export function readTapMessage(body: unknown, wanted: Wanted): TapMessage {
  let id: number | null = null;
  try {
    const message = fieldsOf(body, 'it');
    id = positionOf(message, 'id');
    const type = textOf(message, 'type');
    if (type === 'identity') return { id, events: identityEvents(message, wanted), skipped: null };
    if (type !== 'record') throw new Unreadable(`its type '${type}' is unknown`);
    return { id, ...recordEvents(message, wanted) };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { id, events: [], skipped: `a message of Tap: ${error.message}` };
  }
}

/** Tap tells the state of the account together with its handle. */
function identityEvents(message: Readonly<Record<string, unknown>>, wanted: Wanted): SourceEvent[] {
  const identity = fieldsOf(message['identity'], 'its identity');
  const did = textOf(identity, 'did');
  if (!wanted.account(did)) return [];
  return [
    identityEvent(did, identity),
    accountEvent(did, { active: identity['is_active'], status: identity['status'] }),
  ];
}

function recordEvents(
  message: Readonly<Record<string, unknown>>,
  wanted: Wanted,
): Pick<TapMessage, 'events' | 'skipped'> {
  const fields = fieldsOf(message['record'], 'its record');
  const did = textOf(fields, 'did');
  const collection = textOf(fields, 'collection');
  if (!wanted.account(did) || !wanted.collection(collection)) return { events: [], skipped: null };
  const rev = textOf(fields, 'rev');
  try {
    const operation = textOf(fields, 'action');
    const event = jsonCommitEvent({ did, rev, operation, fields, live: flagOf(fields, 'live') });
    return { events: [event], skipped: null };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    const skipped = `'${collection}/${String(fields['rkey'])}' of ${did} at ${rev}: ${error.message}`;
    return { events: [{ kind: 'sync', did, rev }], skipped };
  }
}
