import { recordStateOf, type RecordState } from '../metadata/record-state.js';
import { published, renewed, unpublished, type RowWrite } from '../entities/row-write.js';
import { newTid } from '../records/tid.js';
import type { Target } from './target.js';

/** How one target is settled. */
export interface Plan {
  readonly target: Target;
  /** Undefined if there is no row any more, or if its record has moved away. */
  readonly write: RowWrite | undefined;
  /**
   * The entity gets its first record, and may get another owner meanwhile. Until the row names the record, a
   * change of owner does not move it.
   */
  readonly mayMove: boolean;
  readonly isFinal: boolean;
  readonly rev: string | undefined;
  readonly show: () => void;
}

export function planOf(target: Target, now: Date, rev: string | undefined): Plan {
  const { change, uri, row, claimed, desired } = target;
  const { entity, entityId, address, instance } = change;
  const isFinal = !target.elsewhere && !target.left && !target.spent;
  const planned = (write: RowWrite, mayMove: boolean): Plan => {
    const state = {
      ...(desired.kind === 'record' && { rkey: address.rkey }),
      ...write.set,
    } as Partial<RecordState>;
    const show = (): void => {
      for (const shown of new Set([row, instance])) if (shown) entity.show(shown, state);
    };
    return { target, write, mayMove, isFinal: isFinal && !mayMove, rev, show };
  };
  if (row && desired.kind === 'record') {
    const record = { uri, cid: desired.prepared.cid, rkey: address.rkey };
    const before = recordStateOf(row);
    const was = before.uri;
    // An entity that has a record already is moved by the change that sets another owner.
    const mayMove = entity.sync.followOwner && change.trigger === 'auto' && was === null;
    const guard = entity.authority === 'both' ? { uri: was, cid: before.cid } : { uri: was };
    return planned(published(entityId, record, now, guard), mayMove);
  }
  const was = row && recordStateOf(row);
  // The record was written here while the owner changed. If the earlier owner comes back, this address must
  // not be used again.
  if (was && !claimed && was.uri === null && was.rkey === address.rkey && !entity.hasFixedRkey)
    return planned(renewed(entityId, was, newTid()), false);
  // A row whose record has moved away already has its new key.
  if (was && (claimed || was.uri === uri)) {
    const next = claimed && !entity.hasFixedRkey ? newTid() : null;
    return planned(unpublished(entityId, was, next), false);
  }
  return { target, write: undefined, mayMove: false, isFinal, rev, show: () => undefined };
}

/** Keeps one plan per row. A second write to the same row has to see what the first has made of it. */
export function joint(plans: readonly Plan[]): Plan[] {
  const rows = new Set<string>();
  return plans.filter(({ target: { change }, write }) => {
    const row = write && `${change.entity.name} ${write.id}`;
    if (row && rows.has(row)) return false;
    if (row) rows.add(row);
    return true;
  });
}
