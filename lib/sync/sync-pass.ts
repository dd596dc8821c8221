import type { Agent } from '@atproto/api';
import { MissingScopeError } from '../errors/missing-scope.error.js';
import type { RecordConflictError } from '../errors/record-conflict.error.js';
import { UnexpectedError } from '../errors/unexpected.error.js';
import { reasonOf } from '../errors/reason-of.js';
import type { ParityEvents } from '../events/parity-events.js';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri } from '../model/address.js';
import { classifyFailure, isOfRequest } from '../pds/failure.js';
import { isInDoubt, type RepositoryState, type RepositoryStateStore } from '../pds/repository-state.store.js';
import type { RecordWrite, RepositoryWriter } from '../pds/repository-writer.js';
import type { SessionProvider } from '../sessions/session-provider.js';
import type { Change } from './change.js';
import { Claimants } from './claimants.js';
import { decide } from './decision.js';
import {
  failedOutcome,
  outcomeWithoutWrite,
  settledOutcome,
  unsettledOutcome,
  type Outcome,
} from './outcome.js';
import { settle } from './settlement.js';
import type { SyncRun } from './sync-run.js';
import { asGone, movedOn, targetOf, type Target } from './target.js';
import { UnrecordedWritesState, withUnrecorded } from './unrecorded-writes.store.js';

export interface SyncPassOptions {
  readonly writer: RepositoryWriter;
  readonly state: RepositoryStateStore;
  readonly sessions: SessionProvider;
  readonly events: ParityEvents;
  /** Sent with every write: true, false, or undefined to leave it to the PDS. */
  readonly validate: boolean | undefined;
  readonly warn: (message: string) => void;
}

/**
 * One run over changes of one DID: each pass decides, writes and settles, and says what has to be looked at
 * again.
 */
export class SyncPass {
  readonly outcomes = new Map<Change, Outcome>();
  /** By at-uri, what this run wrote to addresses whose rows could not take it up. */
  private readonly written = new Map<string, string | null>();

  private readonly claimants: Claimants;
  private readonly state: UnrecordedWritesState;

  constructor(
    private readonly did: string,
    private readonly options: SyncPassOptions,
    private readonly run: SyncRun,
  ) {
    this.state = new UnrecordedWritesState(run.state ?? options.state, this.written);
    this.claimants = new Claimants(run);
  }

  /**
   * @returns the changes whose row went or changed its address under the write: they have to be decided again
   */
  async over(changes: readonly Change[]): Promise<Change[]> {
    try {
      const targets = await this.targets(changes);
      const state = await this.state.load(this.did);
      const work: Target[] = [];
      for (const target of targets) {
        const outcome = outcomeWithoutWrite(target, isInDoubt(state, target.uri));
        if (outcome) this.end(outcome);
        else work.push(target);
      }
      return work.length === 0 ? [] : await this.write(work);
    } catch (error) {
      const open = changes.filter((change) => !this.outcomes.has(this.claimants.givenOf(change)));
      for (const change of open) this.end(failedOutcome(change, error, change.snapshot, open.length > 1));
      return [];
    }
  }

  private async targets(changes: readonly Change[]): Promise<Target[]> {
    const claimants = await this.claimants.of(changes);
    return Promise.all(
      claimants.map(({ change, row }) => {
        // The instance that the caller holds may be older than its record.
        if (row && change.instance) change.entity.show(change.instance, recordStateOf(row));
        return targetOf(change, row, this.written.get(atUri(change.address)) ?? null);
      }),
    );
  }

  private end(outcome: Outcome): void {
    const change = this.claimants.givenOf(outcome.change);
    this.outcomes.set(change, { ...outcome, change });
  }

  /** A scope that is missing for some writes holds up no others. */
  private async write(targets: readonly Target[]): Promise<Change[]> {
    const actions = new Map<Target, RecordWrite['action']>();
    try {
      return await this.send(targets, actions);
    } catch (error) {
      const open = targets.filter(({ change }) => !this.outcomes.has(this.claimants.givenOf(change)));
      const [lacking, rest] = partition(open, (target) => needs(error, target, actions.get(target)));
      if (lacking.length === 0 || rest.length === 0) throw error;
      for (const { change, row } of lacking) this.end(failedOutcome(change, error, row));
      return this.write(rest);
    }
  }

  private async send(
    targets: readonly Target[],
    planned: Map<Target, RecordWrite['action']>,
  ): Promise<Change[]> {
    const stale: Change[] = [];
    const byUri = new Map(targets.map((target) => [target.uri, target]));
    let conflicts = new Map<string, RecordConflictError>();
    const warned = new Set<string>();
    /** At-uris. */
    const done = new Set<string>();
    let spent: ReadonlySet<string> = new Set();
    const settleAll = async (
      written: readonly (readonly [Target, RecordWrite['action'] | undefined])[],
      after?: RepositoryState,
    ): Promise<void> => {
      for (const [dataSource, group] of Map.groupBy(written, ([{ change }]) => change.entity.dataSource)) {
        const actions = new Map(group);
        const settled = await settle([...actions.keys()], {
          dataSource,
          own: () => this.run.runner?.(),
          leaveOwn: () => this.run.leaveRunner?.(),
          ledger: this.run.ledger,
          state: (open) => after && this.stateAfter(after, [...actions.keys()], open),
          kept: () => after && this.state.keeps(after),
        });
        for (const { target, stale: isStale, error } of settled) {
          done.add(target.uri);
          if (error) {
            this.end(unsettledOutcome(target, error));
            continue;
          }
          const isSpent = target.spent || spent.has(target.uri);
          const moved = isSpent ? await movedOn(target.change, target.row) : target.elsewhere;
          const outcome = settledOutcome(
            { ...target, elsewhere: moved },
            actions.get(target),
            this.options.events,
          );
          if (isStale) {
            this.written.set(
              target.uri,
              target.desired.kind === 'record' ? target.desired.prepared.cid : null,
            );
            stale.push(target.change);
          } else {
            this.written.delete(target.uri);
            this.end(outcome);
          }
        }
      }
    };
    const report = await this.options.writer.write({
      did: this.did,
      agent: await this.agent(),
      addresses: targets.map(({ change }) => change.address),
      validate: this.options.validate,
      state: this.state,
      backfill: this.run.backfill,
      ...(this.run.permit && { permit: this.run.permit }),
      verify: targets.some(needsLook),
      decide: (view) => {
        const decision = decide(targets, view);
        ({ conflicts, spent } = decision);
        // It decides again whenever the view changes.
        for (const message of decision.overwritten.filter((one) => !warned.has(one))) {
          warned.add(message);
          this.options.warn(message);
        }
        planned.clear();
        for (const { address, action } of decision.writes) {
          const target = byUri.get(atUri(address));
          if (target) planned.set(target, action);
        }
        return decision.writes;
      },
      onCommit: (writes, _commit, after) =>
        settleAll(
          writes.flatMap(({ address, action }) => {
            const target = byUri.get(atUri(address));
            return target ? [[target, action] as const] : [];
          }),
          after,
        ),
      // An answer was lost: the record is as it should be, or its key is spent, and the rows do not know it
      // yet.
      onFound: (found, after) =>
        settleAll(
          targets
            .filter(({ uri }) => found.has(uri) && !done.has(uri))
            .map((target) => [spent.has(target.uri) ? asGone(target) : target, undefined]),
          after,
        ),
    });
    for (const [uri, error] of [...report.refused, ...conflicts]) {
      const target = byUri.get(uri);
      if (!target || done.has(uri)) continue;
      done.add(uri);
      this.end(failedOutcome(target.change, error, target.row));
    }
    await settleAll(targets.filter(({ uri }) => !done.has(uri)).map((target) => [target, undefined]));
    return stale;
  }

  private async agent(): Promise<Agent> {
    const { did } = this;
    try {
      return await this.options.sessions.agentFor(did);
    } catch (error) {
      throw isOfRequest(error) ? classifyFailure(error, { did }).error : sessionFailed(did, error);
    }
  }

  /**
   * What is kept with the rows that have taken up their records; the `open` ones among the targets have not.
   */
  private stateAfter(
    after: RepositoryState,
    targets: readonly Target[],
    open: readonly Target[],
  ): RepositoryState {
    const untaken = new Map<string, string | null>(this.written);
    for (const { uri } of targets) untaken.delete(uri);
    for (const { uri, desired } of open)
      untaken.set(uri, desired.kind === 'record' ? desired.prepared.cid : null);
    return withUnrecorded(after, untaken);
  }
}

/**
 * Whether what the database remembers is not enough: other applications write there too, and must not be
 * overwritten.
 */
const needsLook = ({ change: { entity }, known }: Target): boolean =>
  known === null ? entity.hasFixedRkey : entity.sync.onConflict === 'fail';

/** Whether a write is one that a missing scope forbids (`repo:<collection>?action=<action>`). */
function needs(error: unknown, { change }: Target, action: RecordWrite['action'] | undefined): boolean {
  if (!(error instanceof MissingScopeError) || action === undefined) return false;
  const [resource, query = ''] = error.scope.split('?');
  const actions = new URLSearchParams(query).getAll('action');
  return (
    resource === `repo:${change.address.collection}` && (actions.length === 0 || actions.includes(action))
  );
}

const sessionFailed = (did: string, cause: unknown): UnexpectedError =>
  new UnexpectedError(`The session provider gave no session of ${did}: ${reasonOf(cause)}`, { did, cause });

const partition = <T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] => [
  items.filter((item) => isFirst(item)),
  items.filter((item) => !isFirst(item)),
];
