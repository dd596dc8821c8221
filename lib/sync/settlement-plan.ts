import { recordStateOf, type RecordState } from '../metadata/record-state.js';
import { published, renewed, unpublished, type RowWrite } from '../entities/row-write.js';
import { newTid } from '../records/tid.js';
import type { Target } from './target.js';

/** What settling does for one target. */
export interface Plan {
  readonly target: Target;
  /** Undefined: there is no row any more, or its record has moved away. */
  readonly write: RowWrite | undefined;
  /**
   * While its first record is written an entity may get another owner, and nobody else knows of the record.
   */
  readonly mayMove: boolean;
  readonly isFinal: boolean;
  readonly show: () => void;
}

export function plan(target: Target, now: Date): Plan {
  const { change, uri, row, claimed, desired } = target;
  const { entity, entityId, address, instance } = change;
  const isFinal = !target.elsewhere && !target.spent;
  const planned = (write: RowWrite, mayMove: boolean): Plan => {
    const state = {
      ...(desired.kind === 'record' && { rkey: address.rkey }),
      ...write.set,
    } as Partial<RecordState>;
    const show = (): void => {
      for (const shown of new Set([row, instance])) if (shown) entity.show(shown, state);
    };
    return { target, write, mayMove, isFinal: isFinal && !mayMove, show };
  };
  if (row && desired.kind === 'record') {
    const record = { uri, cid: desired.prepared.cid, rkey: address.rkey };
    const was = recordStateOf(row).uri;
    // Whoever changes the owner of an entity with a record moves it.
    const mayMove = entity.sync.followOwner && change.trigger === 'auto' && was === null;
    return planned(published(entityId, record, now, was), mayMove);
  }
  const was = row && recordStateOf(row);
  // It was written here while its owner changed. Should that one come back, this address is spent.
  if (was && !claimed && was.uri === null && was.rkey === address.rkey && !entity.hasFixedRkey)
    return planned(renewed(entityId, was, newTid()), false);
  // A row whose record moved away has its new key already.
  if (was && (claimed || was.uri === uri)) {
    const next = claimed && !entity.hasFixedRkey ? newTid() : null;
    return planned(unpublished(entityId, was, next), false);
  }
  return { target, write: undefined, mayMove: false, isFinal, show: () => undefined };
}

/** One write per row; another one sees what the first has made of it. */
export function joint(plans: readonly Plan[]): Plan[] {
  const rows = new Set<string>();
  return plans.filter(({ target: { change }, write }) => {
    const row = write && `${change.entity.name} ${write.id}`;
    if (row && rows.has(row)) return false;
    if (row) rows.add(row);
    return true;
  });
}
