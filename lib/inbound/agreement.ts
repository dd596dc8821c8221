import type { EntityManager } from 'typeorm';
import type { SyncedEntity } from '../entities/synced-entity.js';
import type { RecordJson } from '../model/evidence.js';
import type { AdmittedAddress } from '../pending/inbound.ledger.js';
import { prepareRecord } from '../records/record-json.js';
import { foreignFields } from './foreign-fields.js';

/** What row and repository have in common once a row follows its record. */
export type Agreement = Pick<AdmittedAddress, 'mapped' | 'foreign' | 'base'>;

/** Nothing is remembered of a record that is never published, or is gone. */
export const NO_AGREEMENT: Agreement = { mapped: null, foreign: null, base: null };

/**
 * @param row a whole instance that was written because of `record`
 * @param cid of the record as it is in the repository
 */
export async function agreementOf(
  entity: SyncedEntity,
  row: object,
  record: RecordJson,
  cid: string,
): Promise<Agreement> {
  const { mapper } = entity;
  if (entity.authority !== 'both' || !mapper) return NO_AGREEMENT;
  const base = entity.mergesRecords ? record : null;
  try {
    const ours = await entity.toRecord(row);
    const foreign = foreignFields(record, ours.record, mapper);
    const published = withForeign(ours.record, foreign, entity);
    return { mapped: published.cid === cid ? null : published.cid, foreign, base };
  } catch {
    // What the mapper cannot publish stays as it is until the row changes, which shows the error.
    const foreign = mapper.owns ? foreignFields(record, {}, mapper) : null;
    return { mapped: null, foreign, base };
  }
}

/** The record as it is published: with the fields of other applications. */
export const withForeign = (
  ours: RecordJson,
  foreign: RecordJson | null,
  { mapper }: SyncedEntity,
): { readonly record: RecordJson; readonly cid: string } =>
  prepareRecord({ ...foreign, ...ours }, mapper?.collection ?? '');

/** Whole instances of rows that were just written; what an instance lacks is loaded. */
export async function wholeRows(
  written: readonly { readonly entity: SyncedEntity; readonly entityId: string; readonly instance: object }[],
  manager: EntityManager,
): Promise<ReadonlyMap<object, object>> {
  const whole = new Map<object, object>();
  for (const [entity, group] of Map.groupBy(written, (one) => one.entity)) {
    const isWhole = (instance: object): boolean => !entity.hasLoadHooks && entity.isComplete(instance);
    const lacking = group.filter(({ instance }) => !isWhole(instance));
    const rows =
      lacking.length > 0
        ? await entity.load(
            lacking.map(({ entityId }) => entityId),
            manager,
          )
        : null;
    for (const { instance, entityId } of group) whole.set(instance, rows?.get(entityId) ?? instance);
  }
  return whole;
}
