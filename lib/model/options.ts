import type { Cache } from 'cache-manager';
import type { OptionNames } from './option-checks.js';

/** A cache of cache-manager, or a Keyv. */
export type PendingSyncCache = Cache | Cache['stores'][number];

export interface PendingSyncOptions {
  /** Keeps what could not be synced, and retries it. Default false. */
  readonly enabled?: boolean;
  /**
   * 'cache' (default): best effort, for one process. 'database': durable, written in the entity's own
   * transaction.
   */
  readonly storage?: 'cache' | 'database';
  /**
   * Where storage 'cache' keeps them: `createCache({ stores })` of cache-manager, or a Keyv, such as
   * `createKeyv(url, { namespace })` of `@keyv/redis`. They survive a restart if the cache does. The module
   * makes it throw its errors (`throwOnErrors`), and leaves disconnecting it to the application. Default: the
   * memory of the process.
   */
  readonly cache?: PendingSyncCache | undefined;
  /**
   * Whether the values of `cache` are still there after the process has ended. If so, a change is stored
   * before its first request is sent, and what is saved during the shutdown is left to the next process.
   * Default: what the adapter tells by its `opts` (`dialect`, `url`, `uri` or `filename`); it has to be given
   * where the adapter tells nothing.
   */
  readonly cacheOutlivesProcess?: boolean | undefined;
  /**
   * Seconds until a pending sync is given up; null: never. Default 3600 with 'cache', null with 'database'.
   */
  readonly ttl?: number | null;
  /** Failures of the record itself until it is given up; null: no limit. Default 3. */
  readonly maxAttempts?: number | null;
  /** Retries the pending syncs of an account when it signs in. Default false. */
  readonly autoRetry?: boolean;
  /**
   * What the caller of a change gets whose account has to sign in first (with `sync.mode` 'inline' or
   * 'request'). 'throw' (default): the error that the first such change has met, so that the application can
   * send the user to sign in. 'keep': no error. The change is kept in both cases.
   */
  readonly whenParked?: 'throw' | 'keep';
  /**
   * PostgreSQL with storage 'database': whether the statements on many pending syncs are prepared, once per
   * connection. Default true; false behind a pooler that knows no prepared statements (PgBouncer before 1.21,
   * or without `max_prepared_statements`).
   */
  readonly preparedStatements?: boolean;
}

export type SyncMode = 'inline' | 'request' | 'background';

export interface SyncOptions {
  /**
   * - 'inline' (default): `save()` resolves after the record is written.
   * - 'request': the changes of one HTTP request are written together, after the handler and before the
   *   response.
   * - 'background': `save()` resolves at once, and a worker in the process does the rest; needs pending
   *   syncs.
   */
  readonly mode?: SyncMode;
  /** Milliseconds that a caller waits for the record; the work goes on without it. Default 5000. */
  readonly deadlineMs?: number;
  /**
   * Milliseconds that a mapper and the functions `syncAsDid`, `shouldAutoSync` and `shouldAutoUnsync` have
   * for an answer; after that the attempt has failed. Default 10000.
   */
  readonly functionTimeoutMs?: number;
  /**
   * Whether the PDS checks records against their lexicon: true, false, or undefined (default) to leave it to
   * the PDS.
   */
  readonly validate?: boolean;
}

/** So many write points (create 3, update 2, delete 1) in so many seconds. */
export interface WriteLimit {
  readonly points: number;
  readonly seconds: number;
}

export interface PdsOptions {
  /** Milliseconds until one request to a PDS is given up. Default 15000. */
  readonly timeoutMs?: number;
  /**
   * The writes that a PDS allows one account. The module keeps the limit itself, because a refused write
   * costs its points, too. Default: 5,000 points in an hour and 35,000 in a day, as the reference PDS has it.
   * Empty: no limit.
   */
  readonly writeLimits?: readonly WriteLimit[];
  /** The part of each limit that `reconcile()` may use; the rest is for the changes of users. Default 0.8. */
  readonly backfillShare?: number;
}

export const DEFAULT_FUNCTION_TIMEOUT_MS = 10_000;

export const DEFAULT_BACKFILL_SHARE = 0.8;

export const DEFAULT_WRITE_LIMITS: readonly WriteLimit[] = [
  { points: 5_000, seconds: 3_600 },
  { points: 35_000, seconds: 86_400 },
];

export interface ParityOptions {
  readonly sync?: SyncOptions;
  readonly pds?: PdsOptions;
  readonly pendingSyncs?: PendingSyncOptions;
  /**
   * What happens when a query builder writes rows of a marked entity. Default 'warn'; 'throw' prevents the
   * write.
   */
  readonly onBulkWrite?: 'warn' | 'throw' | 'ignore';
  /** Names of the DataSources with marked entities. Default: the one without a name. */
  readonly dataSources?: readonly string[];
}

/** A cache is optional here, too; without one, pending syncs are in memory. */
export type ResolvedPendingSyncOptions = Required<Omit<PendingSyncOptions, 'cache'>> &
  Pick<PendingSyncOptions, 'cache'>;

export interface ResolvedOptions {
  readonly sync: {
    readonly mode: SyncMode;
    readonly deadlineMs: number;
    readonly functionTimeoutMs: number;
    readonly validate: boolean | undefined;
  };
  readonly pds: Required<PdsOptions>;
  readonly pendingSyncs: ResolvedPendingSyncOptions;
  readonly onBulkWrite: 'warn' | 'throw' | 'ignore';
  readonly dataSources: readonly string[];
}

export const PARITY_OPTION_NAMES: OptionNames<ParityOptions> = {
  sync: true,
  pds: true,
  pendingSyncs: true,
  onBulkWrite: true,
  dataSources: true,
};
