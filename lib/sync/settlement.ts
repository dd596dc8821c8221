import type { QueryRunner } from 'typeorm';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri } from '../model/address.js';
import { RecordRows, type RecordRow } from '../records/record-row.js';
import { newTid } from '../records/tid.js';
import type { Change } from './change.js';
import type { Target } from './target.js';

export interface Settled {
  readonly target: Target;
  /** The row went, or changed its address, while the record was written: the address has to be looked at again. */
  readonly stale: boolean;
}

/** Writes to the rows what became of their records, and shows it on the instances that the callers hold. */
export async function settle(targets: readonly Target[], runner: QueryRunner): Promise<Settled[]> {
  const settled: Settled[] = [];
  for (const target of targets) settled.push({ target, stale: !(await writeBack(target, runner)) });
  return settled;
}

async function writeBack(
  { change, uri, row, claimed, desired }: Target,
  runner: QueryRunner,
): Promise<boolean> {
  if (row === undefined) return true;
  const { entity, entityId, address, instance } = change;
  const rows = new RecordRows(entity);
  const show = (state: RecordRow, at: Date | null): void => {
    for (const shown of new Set([row, instance])) if (shown) entity.show(shown, { ...state, syncedAt: at });
  };
  if (desired.kind === 'record') {
    const record = { uri, cid: desired.prepared.cid, rkey: address.rkey };
    const now = new Date();
    // Whoever changes the owner of an entity with a record moves it; while its first one is written nobody else knows of it.
    const mayMove = entity.sync.followOwner && change.trigger === 'auto' && recordStateOf(row).uri === null;
    if (mayMove && !(await isStillClaimed(change, runner))) return false;
    const written = await rows.published(runner, entityId, record, now);
    if (written) show(record, now);
    return written && (!mayMove || (await isStillClaimed(change, runner)));
  }
  // A row whose record moved away has its new key already, or will get it from the new address.
  if (!claimed && recordStateOf(row).uri !== uri) return true;
  const next = claimed && !entity.hasFixedRkey ? newTid() : null;
  if (await rows.unpublished(runner, entityId, { uri, rkey: address.rkey }, next)) {
    show({ uri: null, cid: null, rkey: next ?? address.rkey }, null);
  }
  return true;
}

/** A claim that cannot be told is looked into by the next pass. */
async function isStillClaimed({ entity, entityId, address }: Change, runner: QueryRunner): Promise<boolean> {
  const row = (await entity.load([entityId], runner.manager)).get(entityId);
  const claimed = row && (await entity.addressOf(row).catch(() => null));
  return claimed != null && atUri(claimed) === atUri(address);
}
