import { isValidNsid, isValidTid } from '@atproto/syntax';
import { PdsUnavailableError } from '../../errors/pds-unavailable.error.js';
import type { QueryAnswer } from './pds.queries.js';
import type { CommitReading, InactiveStatus, StatusReading } from './reading.js';

const nonsense = (did: string, method: string): Error =>
  new PdsUnavailableError(`The PDS of ${did} answered ${method} with something else.`, { did });

export function commitOf(did: string, { answer: { cid, rev } }: QueryAnswer): CommitReading {
  if (typeof cid !== 'string' || !isValidTid(rev)) throw nonsense(did, 'getLatestCommit');
  return { status: 'active', cid, rev };
}

const INACTIVE: ReadonlySet<unknown> = new Set<InactiveStatus>([
  'deactivated',
  'suspended',
  'takendown',
  'deleted',
]);

export function statusOf(did: string, { answer: { active, status, rev } }: QueryAnswer): StatusReading {
  if (typeof active !== 'boolean') throw nonsense(did, 'getRepoStatus');
  if (active) return { status: 'active', rev: isValidTid(rev) ? rev : null };
  return { status: INACTIVE.has(status) ? (status as InactiveStatus) : 'deactivated', rev: null };
}

export function collectionsOf(did: string, { answer: { collections } }: QueryAnswer): readonly string[] {
  if (!Array.isArray(collections)) throw nonsense(did, 'describeRepo');
  return collections.filter((one) => isValidNsid(one));
}
