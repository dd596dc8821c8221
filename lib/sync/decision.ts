import { RecordConflictError } from '../errors/record-conflict.error.js';
import type { RecordWrite, RepositoryView } from '../pds/repository-writer.js';
import type { Change } from './change.js';
import type { Target } from './target.js';

export interface Decision {
  readonly writes: RecordWrite[];
  /** By at-uri: writes of another client that `onConflict` does not allow to overwrite. */
  readonly conflicts: Map<string, RecordConflictError>;
  /** Warnings about writes of other clients that are overwritten. */
  readonly overwritten: string[];
  /** At-uris that an earlier request of ours has emptied. Their entities continue under a new record key. */
  readonly spent: Set<string>;
  /** At-uris of records that another application has changed, and whose rows follow them. */
  readonly foreign: Set<string>;
}

/** The decision before the writer has asked for one. */
export const NO_DECISION: Decision = {
  writes: [],
  conflicts: new Map(),
  overwritten: [],
  spent: new Set(),
  foreign: new Set(),
};

/** The writes that turn what is at the PDS into what should be there. */
export function decide(targets: readonly Target[], view: RepositoryView): Decision {
  const decision: Decision = {
    writes: [],
    conflicts: new Map(),
    overwritten: [],
    spent: new Set(),
    foreign: new Set(),
  };
  for (const target of targets) {
    const { uri, known, desired, change } = target;
    const current = view.verified ? (view.current.get(uri) ?? null) : known;
    const wanted = desired.kind === 'record' ? desired.prepared.cid : null;
    if (current === wanted) continue;
    if (wanted !== null && view.deleted.has(uri) && !change.entity.hasFixedRkey) {
      decision.spent.add(uri);
      continue;
    }
    if (current !== known && !view.ours.has(uri)) {
      const wasOurs = known !== null;
      // No record of ours is at the address, so there is nothing to delete.
      if (!wasOurs && wanted === null) continue;
      if (change.entity.authority === 'both') {
        decision.foreign.add(uri);
        continue;
      }
      const { onConflict } = change.entity.sync;
      const problem = describeConflict(target, current);
      // Only the module uses a record key that it generated, but every application uses the same fixed key.
      const isTaken = !wasOurs && change.entity.hasFixedRkey;
      if (onConflict === 'fail' || (isTaken && onConflict !== 'overwrite')) {
        const advice = onConflict === 'fail' ? SETTLE : takeOver(change);
        decision.conflicts.set(uri, new RecordConflictError(`${problem} ${advice}`));
        continue;
      }
      decision.overwritten.push(`${problem} It is overwritten (onConflict: 'overwrite').`);
    }
    decision.writes.push(
      desired.kind === 'record'
        ? {
            action: current === null ? 'create' : 'update',
            address: change.address,
            replaces: current,
            ...desired.prepared,
          }
        : { action: 'delete', address: change.address, replaces: current },
    );
  }
  return decision;
}

const SETTLE =
  "Nothing was overwritten (onConflict: 'fail'): settle it by hand, or publish with onConflict: 'overwrite'.";

const takeOver = ({ entity }: Change): string =>
  `It was never published by this application, and was not overwritten: to take it over, mark ${entity.name} with ` +
  `@AutoSyncsWithAtp({ onConflict: 'overwrite' }), or delete it in the application that made it.`;

function describeConflict({ uri, known, change }: Target, current: string | null): string {
  const what = current === null ? 'was deleted' : known === null ? 'was created' : 'was changed';
  return `The record ${uri} of ${change.entity.name} ${change.entityId} ${what} by somebody else.`;
}
