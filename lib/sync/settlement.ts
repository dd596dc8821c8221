import type { DataSource, QueryRunner } from 'typeorm';
import { recordStateOf, type RecordState } from '../metadata/record-state.js';
import { atUri } from '../model/address.js';
import type { RepositoryState } from '../pds/repository-state.store.js';
import { chunks } from '../records/chunks.js';
import { onCommittedData } from '../records/committed-data.js';
import { published, renewed, unpublished, writeRow, writeRows, type RowWrite } from '../records/row-write.js';
import { runSteps, runTogether, type Steps } from '../records/steps.js';
import { newTid } from '../records/tid.js';
import type { Change } from './change.js';
import type { SettlementLedger } from './settlement-ledger.js';
import type { Target } from './target.js';

export interface Settled {
  readonly target: Target;
  /** The row went, or changed its address, while the record was written: the address has to be looked at again. */
  readonly stale: boolean;
}

export interface SettlementOptions {
  readonly dataSource: DataSource;
  /** The caller's connection, after its commit and for as long as it waits. */
  readonly own: () => QueryRunner | undefined;
  /** From now on there is none. */
  readonly leaveOwn: () => void;
  /** Settles together with the rows; undefined: there is none. */
  readonly ledger: SettlementLedger | undefined;
  /** What is to be remembered of the repository, as long as these rows have not taken up their records; kept by the ledger. */
  readonly state: (open: readonly Target[]) => RepositoryState | undefined;
}

/** Targets of one transaction. */
const TOGETHER = 200;

/** Writes to the rows what became of their records, and shows it on the instances that the callers hold. */
export async function settle(targets: readonly Target[], options: SettlementOptions): Promise<Settled[]> {
  const now = new Date();
  const plans = targets.map((target) => plan(target, now));
  const open = new Set(plans);
  const stale = new Set<Plan>();
  const stillClaims = async (one: Plan): Promise<boolean> => {
    const claims =
      !one.mayMove ||
      (await onCommittedData(options.dataSource, options.own(), (runner) =>
        isStillClaimed(one.target.change, runner),
      ));
    if (!claims) stale.add(one);
    return claims;
  };
  const take = async (done: Plan): Promise<void> => {
    done.show();
    open.delete(done);
    await stillClaims(done);
  };
  const claimed: Plan[] = [];
  for (const one of plans) if (await stillClaims(one)) claimed.push(one);
  for (const some of chunks(joint(claimed), TOGETHER))
    for (const done of await together(some, open, options)) await take(done);
  const held = claimed.filter((each) => open.has(each) && each.write);
  // These may have to wait for a transaction that holds their row, in one of ours: longer than the caller does, who goes on with his connection.
  if (held.length > 0 && options.ledger) options.leaveOwn();
  for (const one of held) {
    if (await alone(one, open, options)) await take(one);
    else stale.add(one);
  }
  return plans.map((one) => ({ target: one.target, stale: stale.has(one) }));
}

interface Plan {
  readonly target: Target;
  /** Undefined: there is no row any more, or its record has moved away. */
  readonly write: RowWrite | undefined;
  /** While its first record is written an entity may get another owner, and nobody else knows of the record. */
  readonly mayMove: boolean;
  readonly isFinal: boolean;
  readonly show: () => void;
}

function plan(target: Target, now: Date): Plan {
  const { change, uri, row, claimed, desired } = target;
  const { entity, entityId, address, instance } = change;
  const isFinal = !target.elsewhere && !target.spent;
  const planned = (write: RowWrite, mayMove: boolean): Plan => {
    const state = {
      ...(desired.kind === 'record' && { rkey: address.rkey }),
      ...write.set,
    } as Partial<RecordState>;
    const show = (): void => {
      for (const shown of new Set([row, instance])) if (shown) entity.show(shown, state);
    };
    return { target, write, mayMove, isFinal: isFinal && !mayMove, show };
  };
  if (row && desired.kind === 'record') {
    const record = { uri, cid: desired.prepared.cid, rkey: address.rkey };
    const was = recordStateOf(row).uri;
    // Whoever changes the owner of an entity with a record moves it.
    const mayMove = entity.sync.followOwner && change.trigger === 'auto' && was === null;
    return planned(published(entityId, record, now, was), mayMove);
  }
  const was = row && recordStateOf(row);
  // It was written here while its owner changed. Should that one come back, this address is spent.
  if (was && !claimed && was.uri === null && was.rkey === address.rkey && !entity.hasFixedRkey)
    return planned(renewed(entityId, was, newTid()), false);
  // A row whose record moved away has its new key already.
  if (was && (claimed || was.uri === uri)) {
    const next = claimed && !entity.hasFixedRkey ? newTid() : null;
    return planned(unpublished(entityId, was, next), false);
  }
  return { target, write: undefined, mayMove: false, isFinal, show: () => undefined };
}

/** One write per row; another one sees what the first has made of it. */
function joint(plans: readonly Plan[]): Plan[] {
  const rows = new Set<string>();
  return plans.filter(({ target: { change }, write }) => {
    const row = write && `${change.entity.name} ${write.id}`;
    if (row && rows.has(row)) return false;
    if (row) rows.add(row);
    return true;
  });
}

async function together(
  plans: readonly Plan[],
  open: ReadonlySet<Plan>,
  { dataSource, own, ledger, state }: SettlementOptions,
): Promise<readonly Plan[]> {
  if (!ledger) {
    // Alone it needs no transaction.
    if (plans.length === 1) return [];
    return onCommittedData(dataSource, own(), (runner) => runTogether(writeAll(plans), runner));
  }
  return settleWith(ledger, writeAll(plans), open, state);
}

const settleWith = (
  ledger: SettlementLedger,
  rows: Steps<readonly Plan[]>,
  open: ReadonlySet<Plan>,
  state: SettlementOptions['state'],
): Promise<readonly Plan[]> =>
  ledger.settle(rows, (settled) => {
    const done = new Set(settled);
    return state([...open].filter((one) => !done.has(one)).map(({ target }) => target));
  });

/** @returns those whose row was written, or need not be */
function* writeAll(plans: readonly Plan[]): Steps<Plan[]> {
  const done = plans.filter((one) => !one.write);
  for (const [entity, group] of Map.groupBy(plans, ({ target }) => target.change.entity)) {
    const writes = group.flatMap((one) => one.write ?? []);
    if (writes.length === 0) continue;
    const written = yield* writeRows(entity, writes);
    done.push(...group.filter((one) => one.write && written.has(one.write.id)));
  }
  return done;
}

/** @returns whether its row was written */
async function alone(
  one: Plan,
  open: ReadonlySet<Plan>,
  { dataSource, own, ledger, state }: SettlementOptions,
): Promise<boolean> {
  if (!ledger)
    return onCommittedData(dataSource, own(), (runner) => runSteps(writeOne(one), runner)).then(isAny);
  return isAny(await settleWith(ledger, writeOne(one), open, state));
}

function* writeOne(one: Plan): Steps<Plan[]> {
  if (!one.write) return [];
  return (yield* writeRow(one.target.change.entity, one.write)) ? [one] : [];
}

const isAny = (plans: readonly Plan[]): boolean => plans.length > 0;

/** A claim that cannot be told is looked into by the next pass. */
async function isStillClaimed({ entity, entityId, address }: Change, runner: QueryRunner): Promise<boolean> {
  const row = (await entity.load([entityId], runner.manager)).get(entityId);
  const claimed = row && (await entity.addressOf(row).catch(() => null));
  return claimed != null && atUri(claimed) === atUri(address);
}
