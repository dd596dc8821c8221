import type { DataSource, DataSourceOptions, QueryRunner } from 'typeorm';
import { OAuthSessionInvalidError, SyncResult, type RecordMapper } from 'nestjs-parity';
import { ChangeFeeds } from '../../lib/changes/change-feeds.js';
import { trackChanges } from '../../lib/changes/change-tracker.js';
import type { BulkWriteReaction } from '../../lib/changes/bulk-write.policy.js';
import { MapperRegistry } from '../../lib/records/mapper.registry.js';
import { committedRows } from '../../lib/database/row-access.js';
import { SyncedEntities } from '../../lib/entities/synced-entities.js';
import type { Change, EntityWrite, Resolved, Unresolved } from '../../lib/sync/change.js';
import { resolveWrites } from '../../lib/sync/change-resolver.js';
import type { CommittedBatch } from '../../lib/sync/committed-batch.js';
import { SyncDispatcher, type Dispatched } from '../../lib/sync/sync-dispatcher.js';
import type { SyncRun } from '../../lib/sync/sync-run.js';
import { freshDataSource, type DatabaseKind, type ExtraOptions } from '../support/databases.js';

/** Keeps what arrives, one entry per dispatch, and resolves it as the real ones do. */
export class RecordingDispatcher extends SyncDispatcher {
  readonly version = 0;
  readonly captured: string[][] = [];
  readonly batches: EntityWrite[][] = [];
  readonly changes: Change[] = [];
  readonly unresolved: Unresolved[] = [];
  /** The entity names whose account has lost its session. */
  signedOut: string[] = [];

  /** As if no entity could tell its address in the transaction. */
  override beforeCommit(writes: readonly EntityWrite[], runner: QueryRunner): Promise<Resolved> {
    if (!runner.isTransactionActive) throw new Error('There is no transaction to write the changes in.');
    this.captured.push(writes.map(label));
    const unresolved = writes.map((write) => ({ write, error: new Error('told after the commit') }));
    return Promise.resolve({ changes: [], unresolved, unowned: [] });
  }

  override async afterCommit(batch: CommittedBatch, run: SyncRun = {}): Promise<Dispatched[]> {
    const captured = batch.captured.flatMap(({ unresolved }) => unresolved.map(({ write }) => write));
    const writes = [...captured, ...batch.writes];
    this.batches.push(writes);
    for (const [dataSource, group] of Map.groupBy(writes, ({ entity }) => entity.dataSource)) {
      const { changes, unresolved } = await resolveWrites(group, committedRows(dataSource, run.runner));
      this.changes.push(...changes);
      this.unresolved.push(...unresolved);
    }
    return writes.map(({ entity, origin }) => {
      const error = this.signedOut.includes(entity.name) ? new OAuthSessionInvalidError('gone') : undefined;
      return { origin, result: new SyncResult(error ? 'failed' : 'unchanged', { error }) };
    });
  }

  override dispatch(): Promise<SyncResult[]> {
    return Promise.resolve([]);
  }

  override stop(): void {
    // There is no work to stop.
  }

  override drain(): Promise<void> {
    return Promise.resolve();
  }

  /** What was dispatched since the last call: one list per dispatch, such as `['Post 1', '-Post 2']`. */
  taken(): string[][] {
    return this.batches.splice(0).map((batch) => batch.map(label));
  }

  /** The changes since the last call, such as `publish at://…`, without what differs from run to run. */
  takenChanges(): Change[] {
    return this.changes.splice(0);
  }
}

const label = ({ entity, entityId, removal }: EntityWrite): string =>
  `${removal ? '-' : ''}${entity.name} ${entityId}`;

export interface Tracked {
  readonly dataSource: DataSource;
  readonly dispatcher: RecordingDispatcher;
  readonly warnings: string[];
  /** Statements since the last call, without their values. */
  queries(): string[];
  detach(): void;
  stop(): Promise<void>;
}

export interface TrackedOptions {
  readonly kind?: DatabaseKind;
  readonly entities: Function[];
  readonly mappers?: RecordMapper[];
  readonly onBulkWrite?: BulkWriteReaction;
  readonly extra?: ExtraOptions;
  /** Runs before the changes are tracked. */
  readonly before?: (dataSource: DataSource) => void;
}

/** A DataSource whose marked entities are tracked, on a database of its own. */
export async function track(options: TrackedOptions): Promise<Tracked> {
  const { kind = 'sqlite', entities, mappers = [], onBulkWrite = 'warn', extra = {} } = options;
  const database = await freshDataSource(kind, entities as NonNullable<DataSourceOptions['entities']>, extra);
  const log: string[] = [];
  const dataSource = await database.open({ logger: queryLogger(log), logging: true } as ExtraOptions);
  options.before?.(dataSource);
  const registry = new MapperRegistry();
  mappers.forEach((mapper) => registry.register(mapper));
  const synced = new SyncedEntities();
  synced.addAll(dataSource, registry);
  const dispatcher = new RecordingDispatcher();
  const warnings: string[] = [];
  const detach = trackChanges({
    dataSource,
    entities: synced,
    dispatcher,
    feeds: new ChangeFeeds(),
    onBulkWrite,
    warn: (message) => warnings.push(message),
  });
  log.length = 0;
  return {
    dataSource,
    dispatcher,
    warnings,
    queries: () => log.splice(0),
    detach,
    stop: database.cleanup,
  };
}

function queryLogger(log: string[]): object {
  const nothing = (): void => undefined;
  return {
    logQuery: (query: string) => void log.push(query),
    logQueryError: nothing,
    logQuerySlow: nothing,
    logSchemaBuild: nothing,
    logMigration: nothing,
    log: nothing,
  };
}
