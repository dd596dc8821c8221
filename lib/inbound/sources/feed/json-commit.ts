import { ParityError } from '../../../errors/parity.error.js';
import type { RecordJson } from '../../../model/evidence.js';
import { prepareRecord } from '../../../records/record-json.js';
import type { SourceEvent } from '../record-source.js';
import { fieldsOf, textOf, Unreadable, type Fields } from './fields.js';

/** What a service that speaks JSON tells of one record. */
export interface JsonCommit {
  readonly did: string;
  readonly rev: string;
  readonly operation: string;
  /** Has `collection`, `rkey`, and `cid` and `record` unless the record was deleted. */
  readonly fields: Fields;
  readonly live: boolean;
}

/** @throws Unreadable, also for a record that does not have the CID that is told with it */
export function jsonCommitEvent({ did, rev, operation, fields, live }: JsonCommit): SourceEvent {
  const collection = textOf(fields, 'collection');
  const address = { kind: 'record', did, collection, rkey: textOf(fields, 'rkey'), rev, live } as const;
  if (operation === 'delete') return { ...address, cid: null };
  if (operation !== 'create' && operation !== 'update')
    throw new Unreadable(`its operation '${operation}' is unknown`);
  const cid = textOf(fields, 'cid');
  const record = fieldsOf(fields['record'], 'its record');
  if (cidOf(record, collection) !== cid) throw new Unreadable('its CID is not that of its record');
  return { ...address, cid, record };
}

function cidOf(record: RecordJson, collection: string): string {
  try {
    return prepareRecord(record, collection).cid;
  } catch (error) {
    if (error instanceof ParityError) throw new Unreadable(error.message);
    throw error;
  }
}
