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
import { joint, plan, type Plan } from './settlement-plan.js';
import type { Target } from './target.js';

export interface Settled {
  readonly target: Target;
  /**
   * The row went, or changed its address, while the record was written: the address has to be looked at
   * again.
   */
  readonly stale: boolean;
  /**
   * Why the row does not say what became of its record: another transaction holds it, or the database refuses
   * the update.
   */
  readonly error?: ParityError | undefined;
}

export interface SettlementOptions {
  readonly dataSource: DataSource;
  /** The caller's connection, after its commit and for as long as it waits. */
  readonly own: () => QueryRunner | undefined;
  /** From now on there is none. */
  readonly leaveOwn: () => void;
  /** Settles together with the rows; undefined: there is none. */
  readonly ledger: SettlementLedger | undefined;
  /**
   * What is to be remembered of the repository, as long as these rows have not taken up their records; kept
   * by the ledger.
   */
  readonly state: (open: readonly Target[]) => RepositoryState | undefined;
  /** The ledger has kept what `state` gave, and no row is open. */
  readonly kept: () => void;
}

/** Targets of one transaction. */
const TOGETHER = 200;
/**
 * How long to wait for a row before each further look at it, in ms; at first not at all, as another target
 * may have written it.
 */
const PAUSES = [0, 25, 50, 100, 200, 400];
/** The same where nothing comes back to it later. */
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
    this.plans = targets.map((target) => plan(target, now));
    this.open = new Set(this.plans);
  }

  results(): Settled[] {
    return this.plans.map((one) => ({
      target: one.target,
      stale: this.stale.has(one),
      error: this.errors.get(one),
    }));
  }

  async run(): Promise<void> {
    const claimed: Plan[] = [];
    for (const one of this.plans) if (await this.stillClaims(one)) claimed.push(one);
    for (const some of chunks(joint(claimed), TOGETHER)) await this.write(some);
    let left = claimed.filter((one) => one.write && this.isOpen(one));
    const pauses = this.options.ledger ? PAUSES : LONG_PAUSES;
    // Elsewhere no transaction has a row: what is as it was has been passed over.
    for (const pause of locksRows(this.options.dataSource) ? pauses : pauses.slice(0, 1)) {
      left = await this.held(left);
      if (left.length === 0) return;
      if (pause > 0) {
        // The caller need not wait for that transaction, and no connection does.
        this.options.leaveOwn();
        await sleep(pause);
      }
      await this.write(joint(left));
      left = left.filter((one) => this.isOpen(one));
    }
    for (const one of await this.held(left)) this.errors.set(one, await this.hindranceOf(one));
  }

  private async hindranceOf(one: Plan): Promise<ParityError> {
    const { entity, entityId } = one.target.change;
    const isFree =
      one.write !== undefined &&
      (await isFreeRow(entity, one.write, committedRows(this.options.dataSource, this.options.own)));
    return isFree ? refusedRow(one, IGNORED) : heldRow(entity, entityId);
  }

  private isOpen(one: Plan): boolean {
    return this.open.has(one) && !this.errors.has(one);
  }

  /**
   * Those whose rows are as they were, so that another transaction has them; the rows of the others went, or
   * changed.
   */
  private async held(plans: readonly Plan[]): Promise<Plan[]> {
    const held: Plan[] = [];
    for (const [entity, group] of Map.groupBy(plans, ({ target }) => target.change.entity)) {
      const ids = group.map(({ target }) => target.change.entityId);
      const rows = await onCommittedData(this.options.dataSource, this.options.own(), (runner) =>
        new RecordRows(entity).read(runner, ids),
      );
      for (const one of group) {
        const row = rows.get(one.target.change.entityId);
        if (row && one.write && isAsBefore(row, one.write)) held.push(one);
        else this.stale.add(one);
      }
    }
    return held;
  }

  /** One row that the database refuses to update holds up no others. */
  private async write(plans: readonly Plan[]): Promise<void> {
    if (plans.length === 0) return;
    let done: readonly Plan[];
    try {
      done = await this.together(plans);
    } catch (error) {
      if (!(error instanceof RefusedRowsError)) throw error;
      const [one, ...others] = plans;
      if (one && others.length === 0) this.errors.set(one, refusedRow(one, error.cause));
      const half = Math.ceil(plans.length / 2);
      if (others.length > 0)
        for (const some of [plans.slice(0, half), plans.slice(half)]) await this.write(some);
      return;
    }
    for (const one of done) {
      one.show();
      this.open.delete(one);
      await this.stillClaims(one);
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

  /** Those whose rows have not taken up their records once these have. */
  private openAfter(settled: readonly Plan[]): Target[] {
    const done = new Set(settled);
    return [...this.open].filter((one) => !done.has(one)).map(({ target }) => target);
  }

  private async stillClaims(one: Plan): Promise<boolean> {
    const { dataSource, own } = this.options;
    const claims = !one.mayMove || (await isStillClaimed(one.target.change, committedRows(dataSource, own)));
    if (!claims) this.stale.add(one);
    return claims;
  }
}

/** A row was refused; what else is settled with it is not to blame. */
class RefusedRowsError extends Error {}

/**
 * @returns those whose row was written, or need not be
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
  const done = plans.filter((one) => !one.write);
  const [only] = plans;
  if (only?.write && plans.length === 1)
    return (yield* writeRow(only.target.change.entity, only.write)) ? [only] : [];
  for (const [entity, group] of Map.groupBy(plans, ({ target }) => target.change.entity)) {
    const writes = group.flatMap((one) => one.write ?? []);
    if (writes.length === 0) continue;
    const written = yield* writeRows(entity, writes);
    done.push(...group.filter((one) => one.write && written.has(one.write.id)));
  }
  return done;
}

const refusedRow = ({ target: { change, uri } }: Plan, cause: unknown): RowRefusedError =>
  new RowRefusedError(
    `The database refuses to write to the row of ${change.entity.name} ${change.entityId} what became of ${uri}: ` +
      reasonOf(cause),
    { uri, cause },
  );

/** A claim that cannot be told is looked into by the next pass. */
async function isStillClaimed({ entity, entityId, address }: Change, rows: RowAccess): Promise<boolean> {
  const row = (await rows.use((runner) => entity.load([entityId], runner.manager))).get(entityId);
  const claimed = row && (await entity.addressOf(row).catch(() => null));
  return claimed != null && atUri(claimed) === atUri(address);
}
