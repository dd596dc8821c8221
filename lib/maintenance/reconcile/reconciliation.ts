import { boolean, checkNames, positive, wrong } from '../../model/option-checks.js';

export interface ReconcileOptions {
  /** Counts what would be done, and does nothing. Default false. */
  readonly dryRun?: boolean;
  /**
   * Also deletes the records of entities that are no longer eligible, where `whenNotEligible` would keep
   * them. Default false.
   */
  readonly unpublishIneligible?: boolean;
  /** How many rows are looked at, and writes enqueued, at a time. Default 200. */
  readonly pageSize?: number;
  /** The `cursor` of an earlier run, or of its progress. This run continues behind it. */
  readonly after?: string;
  /** Called after each page, and awaited. An error that it throws ends the run. */
  readonly onProgress?: (progress: ReconcileProgress) => void | Promise<void>;
  /** Ends the run after the page under way. The result has what was done until then. */
  readonly signal?: AbortSignal;
}

/** @throws ParityOptionsError that names the option, the given value, and the allowed values */
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
  /** Rows that were looked at. */
  readonly checked: number;
  /**
   * Records to create, update or delete. They are enqueued; with `dryRun` they are only counted. A record
   * that moves is a create and a delete.
   */
  readonly creates: number;
  readonly updates: number;
  readonly deletes: number;
  /** How many of the deletes are of records whose entity is gone. Found with database storage only. */
  readonly gone: number;
  /** Writes that are due and already pending. They are left as they are. */
  readonly waiting: number;
  /** Entities whose own code or mapper failed; without pending syncs also failed writes. */
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
   * For how many minutes, at least, the account with the most points has to wait for its write points; see
   * the options `pds`.
   */
  readonly minutes: number;
}

export interface ReconcileProgress extends ReconcileFigures {
  /** For `after`; null if all was looked at. */
  readonly cursor: string | null;
}

export interface ReconcileResult extends ReconcileProgress {
  readonly dryRun: boolean;
}
