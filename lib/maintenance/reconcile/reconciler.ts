import { ParityOptionsError } from '../../errors/parity-options.error.js';
import { atUri } from '../../model/address.js';
import { committedRows } from '../../database/row-access.js';
import type { EntityClass } from '../../records/record-mapper.js';
import type { RepositoryWriter } from '../../pds/repository-writer.js';
import type { SyncedEntities } from '../../entities/synced-entities.js';
import type { SyncedEntity } from '../../entities/synced-entity.js';
import type { DueWrite } from '../../sync/assessment.js';
import { entityWriteOf, type Change } from '../../sync/change.js';
import { resolveWrites } from '../../sync/change-resolver.js';
import type { SyncDispatcher } from '../../sync/sync-dispatcher.js';
import { toBackfill } from '../../pending/change-entries.js';
import type { LaneStore } from '../../pending/lane.store.js';
import type { PendingChangeStore } from '../../pending/pending-change.store.js';
import type { PendingSyncReader } from '../../pending/pending-sync.reader.js';
import { fromCursor, toCursor, type ReconcilePlace } from './reconcile.cursor.js';
import { nextGone, nextRows, NO_INSTANCE, sameRows, type Finding } from './reconcile.pages.js';
import { ReconcileTally } from './reconcile.tally.js';
import { checkReconcileOptions, type ReconcileOptions, type ReconcileResult } from './reconciliation.js';

export interface ReconcilerConfig {
  readonly entities: SyncedEntities;
  readonly dispatcher: SyncDispatcher;
  readonly writer: RepositoryWriter;
  /** Null while pending syncs are disabled: findings are then synced at once, page by page. */
  readonly store: (PendingChangeStore & Pick<LaneStore, 'wake'> & Pick<PendingSyncReader, 'written'>) | null;
  /** Tells the lane loop that there is work, and does not wait for it. */
  readonly notify: () => void;
}

interface Run {
  readonly options: ReconcileOptions;
  readonly pageSize: number;
  readonly tally: ReconcileTally;
}

/** Finds records that are not as they should be although no event told of it. It uses the database only. */
export class Reconciler {
  constructor(private readonly config: ReconcilerConfig) {}

  /**
   * Looks at every row of a class, and with database storage at every address of the class in the ledger. It
   * enqueues what is not as it should be:
   *
   * - eligible entities without a record;
   * - entities whose mapped record differs from the one last written (a new mapper, raw SQL, a lost change);
   * - records whose entity is gone (foreign key cascades, raw SQL);
   * - with `unpublishIneligible`, records of entities that are no longer eligible.
   *
   * It asks no PDS, so it does not see edits by other applications. It can run at any time, as often as
   * wanted.
   *
   * With pending syncs enabled, the findings become pending syncs for the lane workers, and it resolves when
   * all are enqueued. Otherwise it syncs page by page, and resolves when that is done; failures are counted,
   * not thrown.
   *
   * @throws ParityOptionsError for a class that is not marked with `@AutoSyncsWithAtp()`
   */
  async reconcile(target: EntityClass, options: ReconcileOptions = {}): Promise<ReconcileResult> {
    checkReconcileOptions(options);
    const { pageSize = 200, dryRun = false } = options;
    const classes = this.classes(target);
    const run: Run = { options, pageSize, tally: new ReconcileTally(this.config.writer.budget) };
    let place: ReconcilePlace | null = options.after
      ? fromCursor(options.after)
      : { entityName: classes[0]?.name ?? '', phase: 'rows', after: null };
    while (place && !options.signal?.aborted) {
      place = await this.page(classes, place, run);
      const cursor: string | null = place && toCursor(place);
      await options.onProgress?.({ ...run.tally.figures(), cursor });
    }
    return { ...run.tally.figures(), cursor: place && toCursor(place), dryRun };
  }

  /** The marked class and, in a single table, its marked children. */
  private classes(target: EntityClass): SyncedEntity[] {
    const { entities } = this.config;
    const found = entities
      .all()
      .filter(
        ({ metadata }) =>
          metadata.target === target ||
          (metadata.tableType === 'entity-child' &&
            typeof metadata.target === 'function' &&
            metadata.target.prototype instanceof target),
      )
      .filter(({ metadata }) => entities.autoSynced(metadata.target));
    if (found.length > 0) return found;
    const { name } = entities.of(target);
    throw new ParityOptionsError(
      `${name} does not follow its entity's life, so there is nothing to reconcile; mark it with @AutoSyncsWithAtp().`,
      { entityName: name },
    );
  }

  /** @returns where to continue; null if all was looked at */
  private async page(
    classes: readonly SyncedEntity[],
    { entityName, phase, after }: ReconcilePlace,
    run: Run,
  ): Promise<ReconcilePlace | null> {
    const index = classes.findIndex(({ name }) => name === entityName);
    const entity = classes[index];
    if (!entity)
      throw new ParityOptionsError(`The cursor is one of ${entityName}, which is not reconciled here.`);
    const last = phase === 'rows' ? await this.rows(entity, after, run) : await this.gone(entity, after, run);
    if (last !== null) return { entityName, phase, after: last };
    if (phase === 'rows' && this.config.store?.durable) return { entityName, phase: 'ledger', after: null };
    const next = classes[index + 1];
    return next ? { entityName: next.name, phase: 'rows', after: null } : null;
  }

  private async rows(entity: SyncedEntity, after: string | null, run: Run): Promise<string | null> {
    const { tally, options } = run;
    const { unpublishIneligible = false } = options;
    const page = await nextRows(entity, after, run.pageSize, { unpublishIneligible });
    tally.checked += page.checked;
    for (const { entityId, error } of page.failures) tally.fail(entity.name, entityId, error);
    if (options.dryRun) {
      for (const finding of page.found) for (const write of writesOf(finding)) tally.write(write);
      return page.last;
    }
    const due = page.found.filter(({ assessment }) => assessment.kind === 'due');
    const unwanted = page.found.filter(({ assessment }) => assessment.kind === 'unwanted');
    const changes = [
      ...(await this.changes(entity, due, tally)),
      ...unwanted.flatMap(unwantedChange(entity)),
    ];
    const kept = await this.enqueue(changes, tally);
    const ids = new Set(kept.map(({ entityId }) => entityId));
    for (const finding of page.found) {
      if (ids.has(finding.entityId)) for (const write of writesOf(finding)) tally.write(write);
    }
    await this.stillUnwanted(
      entity,
      unwanted.filter(({ entityId }) => ids.has(entityId)),
      tally,
    );
    await this.wake(kept);
    return page.last;
  }

  private async gone(entity: SyncedEntity, after: string | null, run: Run): Promise<string | null> {
    const { store } = this.config;
    if (!store) return null;
    const { found, last } = await nextGone(store, entity, after, run.pageSize);
    const kept = run.options.dryRun ? found : await this.enqueue(found, run.tally);
    for (const { address } of kept) {
      run.tally.gone += 1;
      run.tally.write({ did: address.did, action: 'delete' });
    }
    if (!run.options.dryRun) await this.wake(kept);
    return last;
  }

  /** The changed addresses of rows. A row from before its table had record columns gets its key here. */
  private async changes(
    entity: SyncedEntity,
    findings: readonly Finding[],
    tally: ReconcileTally,
  ): Promise<Change[]> {
    if (findings.length === 0) return [];
    const writes = findings.map(({ entityId, row }) => entityWriteOf(entity, entityId, { instance: row }));
    const { changes, unresolved } = await resolveWrites(writes, committedRows(entity.dataSource));
    for (const { write, error } of unresolved) tally.fail(entity.name, write.entityId, error);
    return changes;
  }

  /**
   * Keeps changes whose addresses have nothing pending. Without pending syncs, syncs them at once.
   *
   * @returns the new ones
   */
  private async enqueue(changes: readonly Change[], tally: ReconcileTally): Promise<readonly Change[]> {
    if (changes.length === 0) return [];
    const { store, dispatcher } = this.config;
    if (!store) {
      const results = await dispatcher.dispatch(changes);
      results.forEach(({ error }, index) => {
        const change = changes[index];
        if (error && change) tally.fail(change.entity.name, change.entityId, error);
      });
      return changes;
    }
    const known = new Set<string>();
    for (const [did, group] of Map.groupBy(changes, ({ address }) => address.did)) {
      const entries = await store.at(
        did,
        group.map(({ address }) => atUri(address)),
      );
      for (const { sync } of entries) known.add(sync.uri);
    }
    // An earlier request is pending there, maybe one by hand. Capturing the address again could only take
    // that back.
    const fresh = changes.filter(({ address }) => !known.has(atUri(address)));
    tally.waiting += changes.length - fresh.length;
    await store.capture(fresh.map(toBackfill));
    return fresh;
  }

  /**
   * A change by hand is not checked for eligibility, and the entity may have become eligible while this run
   * looked at it. Then an automatic change is captured last and decides. A save after the capture decides in
   * any case.
   */
  private async stillUnwanted(
    entity: SyncedEntity,
    unwanted: readonly Finding[],
    tally: ReconcileTally,
  ): Promise<void> {
    const { store } = this.config;
    if (!store || unwanted.length === 0) return;
    const ids = unwanted.map(({ entityId }) => entityId);
    const now = await sameRows(entity, ids, { unpublishIneligible: true });
    const wanted = unwanted.filter(({ entityId }) => now.get(entityId)?.assessment.kind !== 'unwanted');
    await store.capture((await this.changes(entity, wanted, tally)).map(toBackfill));
  }

  private async wake(changes: readonly Change[]): Promise<void> {
    const { store, notify } = this.config;
    if (!store || changes.length === 0) return;
    // A lane that could not be woken is found by the store's sweep.
    for (const did of new Set(changes.map(({ address }) => address.did)))
      await store.wake(did, { backfill: true }).catch(() => undefined);
    notify();
  }
}

const writesOf = ({ assessment }: Finding): readonly DueWrite[] =>
  assessment.kind === 'due' ? assessment.writes : [{ did: assessment.address.did, action: 'delete' }];

const unwantedChange =
  (entity: SyncedEntity) =>
  ({ entityId, assessment }: Finding): Change[] =>
    assessment.kind === 'unwanted'
      ? [
          {
            ...NO_INSTANCE,
            entity,
            entityId,
            address: assessment.address,
            cid: assessment.cid,
            trigger: 'unpublish',
            operation: 'unpublish',
          },
        ]
      : [];
