import type { SourceEvent } from '../../inbound/sources/record-source.js';
import type { RecordJson } from '../../model/evidence.js';
import { prepareRecord } from '../../records/record-json.js';
import { newTid } from '../../records/tid.js';

export interface RecordEventOptions {
  readonly did: string;
  readonly collection: string;
  readonly rkey: string;
  /** Null for a deletion. */
  readonly record: RecordJson | null;
  /** The revision of the commit; by default the next one. */
  readonly rev?: string;
  /** Default true. */
  readonly live?: boolean;
}

/**
 * What a source tells of a record, with its CID.
 *
 * @throws InvalidRecordError for what no repository can hold
 */
export function recordEvent(options: RecordEventOptions): SourceEvent {
  const { did, collection, rkey, record, rev = newTid(), live = true } = options;
  const address = { kind: 'record', did, collection, rkey, rev, live } as const;
  return record === null ? { ...address, cid: null } : { ...address, ...prepareRecord(record, collection) };
}
