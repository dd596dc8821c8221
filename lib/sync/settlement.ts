import type { QueryRunner } from 'typeorm';
import { recordStateOf } from '../metadata/record-state.js';
import { RecordRows, type RecordRow } from '../records/record-row.js';
import { newTid } from '../records/tid.js';
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
    const written = await rows.published(runner, entityId, record, now);
    if (written) show(record, now);
    return written;
  }
  // A row whose record moved away has its new key already, or will get it from the new address.
  if (!claimed && recordStateOf(row).uri !== uri) return true;
  const next = claimed && !entity.hasFixedRkey ? newTid() : null;
  if (await rows.unpublished(runner, entityId, { uri, rkey: address.rkey }, next)) {
    show({ uri: null, cid: null, rkey: next ?? address.rkey }, null);
  }
  return true;
}
