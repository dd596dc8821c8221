import { boolean, checkNames, positive, wrong } from '../../model/option-checks.js';

export interface ReconcileOptions {
  /** Counts what would be done, and does nothing. Default false. */
  readonly dryRun?: boolean;
  /**
   * Also deletes the records of entities that are no longer eligible, where `whenNotEligible` would keep
   * them. Default false.
   */
  readonly unpublishIneligible?: boolean;
  /** Rows looked at, and writes enqueued, at a time. Default 200. */
  readonly pageSize?: number;
  /** The `cursor` of an earlier run, or of its progress: goes on behind it. */
  readonly after?: string;
  /** After each page; waited for. An error that it throws ends the run. */
  readonly onProgress?: (progress: ReconcileProgress) => void | Promise<void>;
  /** Ends the run after the page under way, with what it has reached. */
  readonly signal?: AbortSignal;
}

/** @throws ParityOptionsError that names the option, what it got, and what it takes */
export function checkReconcileOptions(options: ReconcileOptions): void {
  checkNames<ReconcileOptions>('reconcile()', options, {
    dryRun: true,
    unpublishIneligible: true,
    pageSize: true,
    after: true,
    onProgress: true,
    signal: true,
  });
  const { dryRun, unpublishIneligible, pageSize, onProgress } = options;
  if (dryRun !== undefined) boolean('dryRun of reconcile()', dryRun);
  if (unpublishIneligible !== undefined) boolean('unpublishIneligible of reconcile()', unpublishIneligible);
  if (pageSize !== undefined) positive('pageSize of reconcile()', pageSize);
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw wrong('onProgress of reconcile()', onProgress, 'a function');
}

/** Counts of one run, up to now. */
export interface ReconcileFigures {
  /** Rows looked at. */
  readonly checked: number;
  /**
   * Records to create, update, delete: enqueued, or with `dryRun` only counted. A record that moves is a
   * create and a delete.
   */
  readonly creates: number;
  readonly updates: number;
  readonly deletes: number;
  /** Of the deletes, those whose entity is gone. Found with database storage only. */
  readonly gone: number;
  /** Writes that are due and pending already: left as they are. */
  readonly waiting: number;
  /** Entities whose own code or mapper failed; without pending syncs also writes that failed. */
  readonly failed: number;
  /** The first of these failures. */
  readonly errors: readonly {
    readonly entityName: string;
    readonly entityId: string;
    readonly message: string;
  }[];
  /** Write points, as a PDS counts them: create 3, update 2, delete 1. */
  readonly points: number;
  /**
   * How long the account with most of them has to wait at least for its write points; see the options `pds`.
   */
  readonly minutes: number;
}

export interface ReconcileProgress extends ReconcileFigures {
  /** For `after`; null: all was looked at. */
  readonly cursor: string | null;
}

export interface ReconcileResult extends ReconcileProgress {
  readonly dryRun: boolean;
}
