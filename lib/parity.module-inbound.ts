import type { DataSource } from 'typeorm';
import type { SyncedEntities } from './entities/synced-entities.js';
import { ParityOptionsError } from './errors/parity-options.error.js';
import type { ParityEvents } from './events/parity-events.js';
import { AccountFilter } from './inbound/account-filter.js';
import { AccountLife } from './inbound/account-life.js';
import { Admission } from './inbound/admission.js';
import { Conflicts } from './inbound/conflicts.service.js';
import { entityAt } from './inbound/entity-at.js';
import { Fetcher } from './inbound/fetcher.js';
import { ImportLoop } from './inbound/import/import.loop.js';
import { Importer } from './inbound/import/importer.js';
import { InboundDeadLetters } from './inbound/inbound-dead-letters.js';
import { resolveInboundOptions, type ResolvedInboundOptions } from './inbound/inbound-options.js';
import { AccountEvents } from './inbound/stream/account-events.js';
import { StreamRunner } from './inbound/stream/stream.runner.js';
import type { ResolvedOptions } from './model/options.js';
import type { ParityModuleOptions } from './parity.module-definition.js';
import type { PendingParts } from './parity.module-pending.js';
import { logger } from './parity.module-tokens.js';
import { AccountDirectory } from './pds/reading/account.directory.js';
import { RepositoryReader } from './pds/reading/repository.reader.js';
import { DatabaseInboundLedger } from './pending/database/database-inbound.ledger.js';
import { DatabaseRepositoryStore } from './pending/database/database-repository.store.js';
import { DatabaseSourceCursorStore } from './pending/database/database-source-cursor.store.js';
import type { RepositoryStore } from './pending/repository.store.js';
import type { SessionProvider } from './sessions/session-provider.js';
import type { ForeignWrites } from './sync/foreign-writes.js';
import { SHUTDOWN_LIMIT } from './sync/shutdown-limit.js';

/** The parts through which records reach entities. */
export interface InboundParts {
  readonly options: ResolvedInboundOptions;
  /** Whether the application asked for it; a mapper with `fromRecord` asks for it, too. */
  readonly isAsked: boolean;
  readonly accounts: AccountFilter;
  readonly admission: Admission;
  readonly importer: Importer;
  readonly fetcher: Fetcher;
  readonly life: AccountLife;
  readonly loop: ImportLoop;
  /** Undefined without a source. */
  readonly stream: StreamRunner | undefined;
  readonly conflicts: Conflicts;
  readonly deadLetters: InboundDeadLetters;
  readonly repositories: RepositoryStore;
}

export interface InboundFoundations {
  readonly given: ParityModuleOptions;
  readonly options: ResolvedOptions;
  readonly pending: PendingParts | null;
  readonly dataSource: DataSource | undefined;
  readonly entities: SyncedEntities;
  readonly sessions: SessionProvider;
  readonly events: ParityEvents;
  readonly foreign: ForeignWrites;
}

/**
 * @returns null where changes are not kept in the database
 * @throws ParityOptionsError for options of it, then
 */
export function inboundParts(foundations: InboundFoundations): InboundParts | null {
  const { given, options, pending, dataSource, entities, sessions, events, foreign } = foundations;
  const inbound = resolveInboundOptions(given.inbound ?? {}, given.oauth);
  if (!pending?.store.durable || !dataSource) {
    if (given.inbound) throw needsDatabase('inbound is given');
    return null;
  }
  const { store, versions, loop: lanes } = pending;
  const { preparedStatements } = options.pendingSyncs;
  const { timeoutMs } = options.pds;
  const { allowHttp, plcDirectoryUrl } = inbound;
  const ledger = new DatabaseInboundLedger({ dataSource, preparedStatements });
  const repositories = new DatabaseRepositoryStore(dataSource);
  const accounts = new AccountFilter({ accounts: inbound.accounts, repositories, sessions });
  const directory = new AccountDirectory({ allowHttp, plcDirectoryUrl, timeoutMs });
  const reader = new RepositoryReader(directory, { allowHttp, timeoutMs });
  const notify = (): void => lanes.notify();
  const shared = { dataSource, entities, ledger, repositories, events, notify, sessions };
  const admission = new Admission({
    ...shared,
    changes: store,
    versions,
    follows: (did) => accounts.followsNamed(did),
    timeoutMs: options.sync.functionTimeoutMs,
    log: logger,
  });
  const life = new AccountLife({ ...shared, admission, lanes: store });
  const importer = new Importer({ ...shared, admission, reader, accounts, life });
  const fetcher = new Fetcher({
    reader,
    admission,
    accounts,
    entityAt: (address) => entityAt(entities, dataSource, address),
    hasMapper: (collection) => entities.all().some(({ mapper }) => mapper?.collection === collection),
  });
  foreign.use((addresses, own) => fetcher.readBack(addresses, own));
  const loop = new ImportLoop({
    repositories,
    importer,
    concurrency: 2,
    interval: 5_000,
    drainLimit: SHUTDOWN_LIMIT,
    log: logger,
  });
  const stream =
    inbound.source &&
    new StreamRunner({
      ...shared,
      source: inbound.source,
      cursors: new DatabaseSourceCursorStore(dataSource),
      accounts,
      admission,
      accountEvents: new AccountEvents({
        directory,
        reader,
        repositories,
        life,
        follows: (did) => accounts.follows(did),
        log: logger,
      }),
      collections: () => [...new Set(entities.all().flatMap(({ mapper }) => mapper?.collection ?? []))],
      notify: () => loop.notify(),
      drainLimit: SHUTDOWN_LIMIT,
      log: logger,
    });
  const conflicts = new Conflicts({ ...shared, admission });
  const deadLetters = new InboundDeadLetters({ ledger, fetcher });
  return {
    options: inbound,
    isAsked: given.inbound !== undefined,
    accounts,
    admission,
    importer,
    fetcher,
    life,
    loop,
    stream,
    conflicts,
    deadLetters,
    repositories,
  };
}

/** @throws ParityOptionsError where a mapper follows records, and nothing can be kept of them */
export function checkInbound(entities: SyncedEntities, parts: InboundParts | null): void {
  const following = entities.all().find(({ authority }) => authority !== 'local');
  if (!parts && following) throw needsDatabase(`${following.mapper?.constructor.name} has fromRecord()`);
}

/** Whether records are followed at all. */
export const followsRecords = (entities: SyncedEntities, parts: InboundParts): boolean =>
  parts.isAsked || entities.all().some(({ authority }) => authority !== 'local');

const needsDatabase = (why: string): ParityOptionsError =>
  new ParityOptionsError(
    `${why}, so what is learned of records has to be kept: set pendingSyncs to { enabled: true, storage: 'database' }.`,
  );
