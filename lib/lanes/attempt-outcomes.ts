import { MissingScopeError } from '../errors/missing-scope.error.js';
import { atUri } from '../model/address.js';
import type { FailedAttempt, PendingEntry, SettledEntry } from '../pending/pending-entry.js';
import type { Outcome } from '../sync/outcome.js';

type Entries = ReadonlyMap<string, PendingEntry>;

/** The entries that are done with; a change without one was settled, or removed, by another worker. */
export const settledEntries = (outcomes: readonly Outcome[], entries: Entries): SettledEntry[] =>
  outcomes.flatMap(({ change, result, failure, isDeferred, isLeft: asIs = false }) => {
    const entry = entries.get(atUri(change.address));
    if (!entry || failure || isDeferred) return [];
    const cid = asIs ? entry.cid : (result.cid ?? null);
    return [{ uri: entry.sync.uri, version: entry.version, cid, asIs }];
  });

export const failedAttempts = (outcomes: readonly Outcome[], entries: Entries): FailedAttempt[] =>
  outcomes.flatMap(({ change, failure }) => {
    const entry = entries.get(atUri(change.address));
    if (!entry || !failure) return [];
    const { kind, error } = failure;
    return [
      {
        uri: entry.sync.uri,
        version: entry.version,
        error: error.message,
        countsAttempt: kind === 'permanent' || kind === 'conflict',
        needsSession: needsSession({ failure }),
      },
    ];
  });

export const needsSession = ({ failure }: Pick<Outcome, 'failure'>): boolean =>
  failure?.error instanceof MissingScopeError;
