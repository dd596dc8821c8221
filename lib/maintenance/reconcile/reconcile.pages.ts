import { ParityOptionsError } from '../../errors/parity-options.error.js';
import { atUri } from '../../model/address.js';
import { onCommittedData } from '../../database/committed-data.js';
import { holdersOf, RecordRows } from '../../entities/record-row.js';
import type { RecordRow } from '../../entities/row-write.js';
import { RowPages } from '../../entities/row-pages.js';
import type { SyncedEntity } from '../../entities/synced-entity.js';
import { assess, type Assessment } from '../../sync/assessment.js';
import type { Change } from '../../sync/change.js';
import type { WrittenAddress } from '../../pending/pending-views.js';
import type { PendingSyncReader } from '../../pending/pending-sync.reader.js';

/** A row whose record is not as it should be. */
export interface Finding {
  readonly entityId: string;
  readonly row: object;
  readonly assessment: Exclude<Assessment, { kind: 'synced' | 'not-eligible' }>;
}

export interface PageOf<T> {
  readonly found: readonly T[];
  readonly failures: readonly { readonly entityId: string; readonly error: Error }[];
  readonly checked: number;
  /** The last one that was looked at; null if there are no more. */
  readonly last: string | null;
}

/** The next rows, and which of them differ from their records. */
export async function nextRows(
  entity: SyncedEntity,
  after: string | null,
  limit: number,
  options: { readonly unpublishIneligible: boolean },
): Promise<PageOf<Finding>> {
  const rows = await onCommittedData(entity.dataSource, undefined, async (runner) => {
    const ids = await new RowPages(entity).ids(runner, after, limit);
    return { ids, snapshot: await entity.load(ids, runner.manager) };
  });
  const last = rows.ids.length < limit ? null : (rows.ids.at(-1) ?? null);
  if (last !== null && last === after) {
    throw new ParityOptionsError(
      `The primary key of ${entity.name} cannot be paged: its values come back less exact than they are stored.`,
      { entityName: entity.name },
    );
  }
  return { ...(await outOfStep(entity, rows.snapshot, options)), checked: rows.ids.length, last };
}

/** The findings of these rows as they are now. */
export async function sameRows(
  entity: SyncedEntity,
  ids: readonly string[],
  options: { readonly unpublishIneligible: boolean },
): Promise<Map<string, Finding>> {
  const snapshot = await onCommittedData(entity.dataSource, undefined, (runner) =>
    entity.load(ids, runner.manager),
  );
  const { found } = await outOfStep(entity, snapshot, options);
  return new Map(found.map((finding) => [finding.entityId, finding]));
}

async function outOfStep(
  entity: SyncedEntity,
  rows: ReadonlyMap<string, object>,
  options: { readonly unpublishIneligible: boolean },
): Promise<Pick<PageOf<Finding>, 'found' | 'failures'>> {
  const found: Finding[] = [];
  const failures: PageOf<Finding>['failures'][number][] = [];
  for (const [entityId, row] of rows) {
    try {
      const assessment = await assess(entity, row, options);
      if (assessment.kind === 'due' || assessment.kind === 'unwanted') {
        found.push({ entityId, row, assessment });
      }
    } catch (error) {
      failures.push({ entityId, error: error as Error });
    }
  }
  return { found, failures };
}

/** The next addresses in the ledger whose record no row names any more. */
export async function nextGone(
  store: Pick<PendingSyncReader, 'written'>,
  entity: SyncedEntity,
  after: string | null,
  limit: number,
): Promise<PageOf<Change>> {
  const written = await store.written(entity.storedName, { after, limit });
  const ids = [...new Set(written.map(({ entityId }) => entityId))];
  const gone = await onCommittedData(entity.dataSource, undefined, async (runner) => {
    const table = new RecordRows(entity);
    const rows = await table.read(runner, ids);
    const unknown = written.filter((entry) => !knows(rows.get(entry.entityId), entry));
    // A row that holds the address keeps the record.
    const addresses = unknown.map(({ address }) => address);
    const held = await holdersOf(entity, runner, addresses);
    return unknown.filter(({ address }) => !held.has(atUri(address)));
  });
  const last = written.length < limit ? undefined : written.at(-1);
  return {
    found: gone.map((entry) => goneChange(entity, entry)),
    failures: [],
    checked: 0,
    last: last ? atUri(last.address) : null,
  };
}

/** A row that does not name its record yet has the record's key. */
const knows = (row: RecordRow | undefined, { address }: WrittenAddress): boolean =>
  row !== undefined && (row.uri === null ? row.rkey === address.rkey : row.uri === atUri(address));

/** An entity that claims the address by the time of the attempt keeps the record. */
const goneChange = (entity: SyncedEntity, { address, entityId, cid }: WrittenAddress): Change => ({
  ...NO_INSTANCE,
  entity,
  entityId,
  address,
  cid,
  trigger: 'auto',
  operation: 'unpublish',
  givenUp: true,
});

/** The remaining fields of a change that no entity write has made. */
export const NO_INSTANCE = {
  keepRecord: false,
  givenUp: false,
  mayDelete: true,
  instance: undefined,
  snapshot: undefined,
  origin: undefined,
} as const;
