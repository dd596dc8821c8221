import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';
import type { ParityError } from '../errors/parity.error.js';
import { RowRefusedError } from '../errors/row-refused.error.js';
import { reasonOf } from '../errors/reason-of.js';
import { atUri } from '../model/address.js';
import type { RepositoryState } from '../pds/repository-state.store.js';
import { chunks } from '../database/chunks.js';
import { onCommittedData } from '../database/committed-data.js';
import { isRefusedStatement } from '../database/database-failure.js';
import { RecordRows } from '../entities/record-row.js';
import { committedRows, type RowAccess } from '../database/row-access.js';
import { isAsBefore, rowUpdate, writeRow, writeRows, writesAtOnce } from '../entities/row-write.js';
import { locksRows, runScript, runTogether, type SqlScript } from '../database/sql-script.js';
import type { Change } from './change.js';
import { heldRow, IGNORED, isFreeRow } from './held-row.js';
import type { SettlementLedger } from './settlement-ledger.js';
import { joint, planOf, type Plan } from './settlement-plan.js';
import type { Target } from './target.js';

export interface Settled {
  readonly target: Target;
  /**
   * The row was deleted, or changed its address, while the record was written. The address has to be looked
   * at again.
   */
  readonly stale: boolean;
  /** Why the row could not be written: another transaction holds it, or the database refuses the update. */
  readonly error?: ParityError | undefined;
}

export interface SettlementOptions {
  readonly dataSource: DataSource;
  /** As of which revision the records are as the targets want them; undefined if that is not known. */
  readonly rev: string | undefined;
  /** The caller's connection, after its commit and for as long as the caller waits. */
  readonly own: () => QueryRunner | undefined;
  /** Stops using the caller's connection. */
  readonly leaveOwn: () => void;
  /** Settles changes together with the rows; undefined where changes are not kept in the database. */
  readonly ledger: SettlementLedger | undefined;
  /**
   * What has to be remembered of the repository while the rows of these targets do not name their records.
   * The ledger keeps it.
   */
  readonly state: (open: readonly Target[]) => RepositoryState | undefined;
  /** Called when the ledger has kept what `state` returned, and no row is open. */
  readonly kept: () => void;
}

/** How many targets are settled in one transaction. */
const TOGETHER = 200;
/**
 * Pauses in ms before each further look at a held row. The first is 0, because another target of the same row
 * may have been written in between.
 */
const PAUSES = [0, 25, 50, 100, 200, 400];
/** The same where no worker comes back to the row later. */
const LONG_PAUSES = [...PAUSES, 800, ...Array.from({ length: 8 }, () => 1_000)];

/** Writes to the rows what became of their records, and shows it on the instances that the callers hold. */
export async function settle(targets: readonly Target[], options: SettlementOptions): Promise<Settled[]> {
  const settling = new Settling(targets, options);
  await settling.run();
  return settling.results();
}

class Settling {
  private readonly plans: readonly Plan[];
  private readonly open: Set<Plan>;
  private readonly stale = new Set<Plan>();
  private readonly errors = new Map<Plan, ParityError>();

  constructor(
    targets: readonly Target[],
    private readonly options: SettlementOptions,
  ) {
    const now = new Date();
    this.plans = targets.map((target) => planOf(target, now, options.rev));
    this.open = new Set(this.plans);
  }

  results(): Settled[] {
    return this.plans.map((plan) => ({
      target: plan.target,
      stale: this.stale.has(plan),
      error: this.errors.get(plan),
    }));
  }

  async run(): Promise<void> {
    const claimed: Plan[] = [];
    for (const plan of this.plans) if (await this.stillClaims(plan)) claimed.push(plan);
    for (const batch of chunks(joint(claimed), TOGETHER)) await this.write(batch);
    let left = claimed.filter((plan) => plan.write && this.isOpen(plan));
    const pauses = this.options.ledger ? PAUSES : LONG_PAUSES;
    // Without row locks no transaction can hold a row. A row that is still unchanged was suppressed by a
    // trigger, and waiting would not help.
    for (const pause of locksRows(this.options.dataSource) ? pauses : pauses.slice(0, 1)) {
      left = await this.held(left);
      if (left.length === 0) return;
      if (pause > 0) {
        // The caller may go on before that transaction ends, so its connection is given up. No other
        // connection is held during the pause.
        this.options.leaveOwn();
        await sleep(pause);
      }
      await this.write(joint(left));
      left = left.filter((plan) => this.isOpen(plan));
    }
    for (const plan of await this.held(left)) this.errors.set(plan, await this.hindranceOf(plan));
  }

  private async hindranceOf(plan: Plan): Promise<ParityError> {
    const { entity, entityId } = plan.target.change;
    const isFree =
      plan.write !== undefined &&
      (await isFreeRow(entity, plan.write, committedRows(this.options.dataSource, this.options.own)));
    return isFree ? refusedRow(plan, IGNORED) : heldRow(entity, entityId);
  }

  private isOpen(plan: Plan): boolean {
    return this.open.has(plan) && !this.errors.has(plan);
  }

  /**
   * @returns the plans whose rows are unchanged, so that another transaction holds them. Rows of the other
   *   plans were deleted, or have changed.
   */
  private async held(plans: readonly Plan[]): Promise<Plan[]> {
    const held: Plan[] = [];
    for (const [entity, group] of Map.groupBy(plans, ({ target }) => target.change.entity)) {
      const ids = group.map(({ target }) => target.change.entityId);
      const rows = await onCommittedData(this.options.dataSource, this.options.own(), (runner) =>
        new RecordRows(entity).read(runner, ids),
      );
      for (const plan of group) {
        const row = rows.get(plan.target.change.entityId);
        if (row && plan.write && isAsBefore(row, plan.write)) held.push(plan);
        else this.stale.add(plan);
      }
    }
    return held;
  }

  /**
   * A row that the database refuses to update must not hold up the others, so its batch is halved until it is
   * alone.
   */
  private async write(plans: readonly Plan[]): Promise<void> {
    if (plans.length === 0) return;
    let done: readonly Plan[];
    try {
      done = await this.together(plans);
    } catch (error) {
      if (!(error instanceof RefusedRowsError)) throw error;
      const [plan, ...others] = plans;
      if (plan && others.length === 0) this.errors.set(plan, refusedRow(plan, error.cause));
      const half = Math.ceil(plans.length / 2);
      if (others.length > 0)
        for (const batch of [plans.slice(0, half), plans.slice(half)]) await this.write(batch);
      return;
    }
    for (const plan of done) {
      plan.show();
      this.open.delete(plan);
      await this.stillClaims(plan);
    }
  }

  private async together(plans: readonly Plan[]): Promise<readonly Plan[]> {
    const { ledger, dataSource, own, kept } = this.options;
    if (ledger) {
      const done = await this.settleIn(ledger, plans);
      if (this.openAfter(done).length === 0) kept();
      return done;
    }
    const [{ target }] = plans as [Plan];
    const run = plans.length === 1 && writesAtOnce(target.change.entity) ? runScript : runTogether;
    return onCommittedData(dataSource, own(), (runner) => run(writeAll(plans), runner));
  }

  private async settleIn(ledger: SettlementLedger, plans: readonly Plan[]): Promise<readonly Plan[]> {
    const { state } = this.options;
    const [only] = plans;
    const row = only?.write && plans.length === 1 && rowUpdate(only.target.change.entity, only.write);
    if (row && only && (await ledger.settleRow(row, only, state(this.openAfter(plans))))) return plans;
    return ledger.settle(writeAll(plans), (done) => state(this.openAfter(done)));
  }

  /** The targets whose rows still do not name their records once these plans are settled. */
  private openAfter(settled: readonly Plan[]): Target[] {
    const done = new Set(settled);
    return [...this.open].filter((plan) => !done.has(plan)).map(({ target }) => target);
  }

  private async stillClaims(plan: Plan): Promise<boolean> {
    const { dataSource, own } = this.options;
    const claims =
      !plan.mayMove || (await isStillClaimed(plan.target.change, committedRows(dataSource, own)));
    if (!claims) this.stale.add(plan);
    return claims;
  }
}

/** The database refused one row. The rows that are written with it are not to blame. */
class RefusedRowsError extends Error {}

/**
 * @returns the plans whose row was written, or needs no write
 * @throws RefusedRowsError
 */
function* writeAll(plans: readonly Plan[]): SqlScript<Plan[]> {
  try {
    return yield* writeRowsOf(plans);
  } catch (cause) {
    throw isRefusedStatement(cause) ? new RefusedRowsError('A row was refused.', { cause }) : cause;
  }
}

function* writeRowsOf(plans: readonly Plan[]): SqlScript<Plan[]> {
  const done = plans.filter((plan) => !plan.write);
  const [only] = plans;
  if (only?.write && plans.length === 1)
    return (yield* writeRow(only.target.change.entity, only.write)) ? [only] : [];
  for (const [entity, group] of Map.groupBy(plans, ({ target }) => target.change.entity)) {
    const writes = group.flatMap((plan) => plan.write ?? []);
    if (writes.length === 0) continue;
    const written = yield* writeRows(entity, writes);
    done.push(...group.filter((plan) => plan.write && written.has(plan.write.id)));
  }
  return done;
}

const refusedRow = ({ target: { change, uri } }: Plan, cause: unknown): RowRefusedError =>
  new RowRefusedError(
    `The database refuses to write to the row of ${change.entity.name} ${change.entityId} what became of ${uri}: ` +
      reasonOf(cause),
    { uri, cause },
  );

/** @returns false also if the entity's code fails; the next pass then looks at the address again */
async function isStillClaimed({ entity, entityId, address }: Change, rows: RowAccess): Promise<boolean> {
  const row = (await rows.use((runner) => entity.load([entityId], runner.manager))).get(entityId);
  const claimed = row && (await entity.addressOf(row).catch(() => null));
  return claimed != null && atUri(claimed) === atUri(address);
}
