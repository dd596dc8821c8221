import type { Agent } from '@atproto/api';
import { MissingScopeError } from '../errors/missing-scope.error.js';
import { UnexpectedError } from '../errors/unexpected.error.js';
import { reasonOf } from '../errors/reason-of.js';
import type { ParityEvents } from '../events/parity-events.js';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri } from '../model/address.js';
import { classifyFailure, isOfRequest } from '../pds/failure.js';
import { isInDoubt, type RepositoryStateStore } from '../pds/repository-state.store.js';
import type { RecordWrite, RepositoryWriter } from '../pds/repository-writer.js';
import type { SessionProvider } from '../sessions/session-provider.js';
import type { Change } from './change.js';
import { Claimants } from './claimants.js';
import type { ForeignWrites } from './foreign-writes.js';
import { failedOutcome, outcomeWithoutWrite, type Outcome } from './outcome.js';
import type { SyncRun } from './sync-run.js';
import { targetOf, type Target } from './target.js';
import { UnrecordedWritesState } from './unrecorded-writes.store.js';
import { WriteRound } from './write-round.js';

export interface SyncPassOptions {
  readonly writer: RepositoryWriter;
  readonly state: RepositoryStateStore;
  readonly sessions: SessionProvider;
  readonly events: ParityEvents;
  /** Admits records that a write has found changed elsewhere. */
  readonly foreign: ForeignWrites;
  /** Sent with every write: true, false, or undefined to leave it to the PDS. */
  readonly validate: boolean | undefined;
  readonly warn: (message: string) => void;
}

/**
 * One run over changes of one DID. Each pass decides, writes and settles, and returns the changes that have
 * to be looked at again.
 */
export class SyncPass {
  readonly outcomes = new Map<Change, Outcome>();
  /** By at-uri, the CIDs that this run wrote to addresses whose rows do not name them. */
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
   * @returns the changes whose row was deleted or changed its address during the write; they have to be
   *   decided again
   */
  async over(changes: readonly Change[]): Promise<readonly Change[]> {
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
        // The caller may have loaded its instance before the record was written.
        if (row && change.instance) change.entity.show(change.instance, recordStateOf(row));
        return targetOf(change, row, this.written.get(atUri(change.address)) ?? null);
      }),
    );
  }

  private end(outcome: Outcome): void {
    const change = this.claimants.givenOf(outcome.change);
    this.outcomes.set(change, { ...outcome, change });
  }

  /** A missing scope fails only the writes that need it. The others are written without them. */
  private async write(targets: readonly Target[]): Promise<readonly Change[]> {
    const { did, options, run, state, written } = this;
    const agent = await this.agent();
    const end = (outcome: Outcome): void => this.end(outcome);
    const round = new WriteRound(targets, { ...options, did, agent, run, state, written, end });
    try {
      return await round.write();
    } catch (error) {
      const open = targets.filter(({ change }) => !this.outcomes.has(this.claimants.givenOf(change)));
      const [lacking, rest] = partition(open, (target) => needs(error, target, round.actionOf(target)));
      if (lacking.length === 0 || rest.length === 0) throw error;
      for (const { change, row } of lacking) this.end(failedOutcome(change, error, row));
      return this.write(rest);
    }
  }

  private async agent(): Promise<Agent> {
    const { did } = this;
    try {
      return await this.options.sessions.agentFor(did);
    } catch (error) {
      throw isOfRequest(error) ? classifyFailure(error, { did }).error : sessionFailed(did, error);
    }
  }
}

/** Whether a write is one that the missing scope (`repo:<collection>?action=<action>`) forbids. */
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
