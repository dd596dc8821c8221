import type { EntityManager } from 'typeorm';
import { runScript } from '../database/sql-script.js';
import { RecordRows } from '../entities/record-row.js';
import { freeRows } from '../entities/row-write.js';
import type { SyncedEntities } from '../entities/synced-entities.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri } from '../model/address.js';
import type { Evidence } from '../model/evidence.js';
import type { KnownAddress } from '../pending/inbound.ledger.js';
import type { AdmissionItem } from './admission-item.js';

/** Evidence that needs its row: the class that it concerns, and what the ledger knows. */
export interface RowQuery {
  readonly evidence: Evidence;
  readonly entity: SyncedEntity;
  readonly known: KnownAddress | undefined;
}

/** Finds and locks the rows of addresses, in an open transaction. It waits for no other transaction. */
export class AdmissionRows {
  constructor(
    private readonly entities: SyncedEntities,
    private readonly manager: EntityManager,
  ) {}

  /** @returns `held`: the evidence whose row another transaction holds */
  async of(
    queries: readonly RowQuery[],
  ): Promise<{ readonly items: readonly AdmissionItem[]; readonly held: readonly Evidence[] }> {
    const items: AdmissionItem[] = [];
    const held: Evidence[] = [];
    for (const [entity, group] of Map.groupBy(queries, (query) => query.entity)) {
      const ids = await this.idsOf(entity, group);
      const wanted = [...new Set(ids.values())];
      const writes = wanted.map((id) => ({ id, set: {}, was: {} }));
      const runner = this.manager.queryRunner!;
      const free = wanted.length > 0 ? await runScript(freeRows(entity, writes), runner) : [];
      const locked = new Set(free.map(({ id }) => id));
      const rows = wanted.length > 0 ? await entity.load(wanted, this.manager) : new Map<string, object>();
      for (const query of group) {
        const id = ids.get(query.evidence);
        const row = id === undefined ? undefined : rows.get(id);
        if (row && id !== undefined && !locked.has(id)) held.push(query.evidence);
        else items.push(await itemOf(query, row, id));
      }
    }
    return { items, held };
  }

  /** The ids of the rows that may have the addresses, by evidence. */
  private async idsOf(entity: SyncedEntity, group: readonly RowQuery[]): Promise<Map<Evidence, string>> {
    const ids = new Map<Evidence, string>();
    const unknown: Evidence[] = [];
    for (const { evidence, known } of group) {
      if (known && known.entityId !== '') ids.set(evidence, known.entityId);
      // A row from before its changes were kept in the database. In a stream it would have to be looked for at
      // each new record; the import that comes first has found it.
      else if (!known && evidence.source !== 'stream') unknown.push(evidence);
    }
    if (unknown.length > 0) {
      const found = await new RecordRows(entity).holding(this.manager.queryRunner!, unknown);
      for (const evidence of unknown) {
        const id = found.get(atUri(evidence));
        if (id !== undefined) ids.set(evidence, id);
      }
    }
    return ids;
  }

  /** The classes of a collection that follow their records, or else those that publish to it. */
  classesOf(collection: string): readonly SyncedEntity[] {
    const all = this.entities.all().filter(({ mapper }) => mapper?.collection === collection);
    const following = all.filter(({ authority }) => authority !== 'local');
    return following.length > 0 ? following : all;
  }

  /** The class that claims an address; undefined where this process does not know it. */
  classOf(known: KnownAddress): SyncedEntity | undefined {
    return this.entities.stored(known.entityName);
  }
}

/** A row whose record is elsewhere by now, or belongs to another account, is no row of this address. */
async function itemOf(
  { evidence, entity, known }: RowQuery,
  row: object | undefined,
  rowId: string | undefined,
): Promise<AdmissionItem> {
  const uri = atUri(evidence);
  const item = { evidence, uri, entity, known };
  if (!row) return { ...item, row: undefined, rowId: undefined };
  const now = recordStateOf(row);
  const isHere = now.uri === uri || (now.uri === null && (await mayBeOf(entity, row, evidence.did)));
  return isHere ? { ...item, row, rowId } : { ...item, row: undefined, rowId: undefined };
}

/** Whether a row without a record may belong to an account. */
async function mayBeOf(entity: SyncedEntity, row: object, did: string): Promise<boolean> {
  try {
    const owner = await entity.didOf(row);
    return owner === null || owner === did;
  } catch {
    // The application's code cannot tell.
    return false;
  }
}
