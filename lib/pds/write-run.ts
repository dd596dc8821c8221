import type { XRPCError } from '@atproto/api';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { PdsUnavailableError } from '../errors/pds-unavailable.error.js';
import { atUri } from '../model/address.js';
import { APPLY_WRITES, applyWrites } from './apply-writes.js';
import { ChunkLimits, type SizedWrite } from './chunk-limits.js';
import type { Commit } from './commit.js';
import { classifyFailure } from './failure.js';
import type { Failure, FailureContext } from './failure-kinds.js';
import { currentCids, latestCommit } from './reads.js';
import { pauseAtRandom, permitted } from './fences.js';
import type { HostTraits } from './host-traits.js';
import { isTooLarge } from './pds-refusal.js';
import { RefusedWrites } from './refused-writes.js';
import { RepositoryMemory } from './repository-memory.js';
import type { RepositoryStateStore } from './repository-state.store.js';
import { UnansweredRequests } from './unanswered-requests.js';
import { WritePointsSpentError } from './write-points-spent.error.js';
import { costOf, type WriteBudget } from './write-budget.js';
import { mayLackScopesOfSome, scopeOf } from './write-scope.js';
import type { WriteLimit } from '../model/options.js';
import { intentOf, type RecordWrite, type WriteReport, type WriteRequest } from './write-request.js';
import { accountState, isAnswerOfPds, isInvalidSwap } from './pds-answers.js';
import { serverOf, type XrpcCallOptions } from './xrpc-call.js';

export interface WriteRunSettings {
  readonly state: RepositoryStateStore;
  readonly timeoutMs: number;
  readonly writeLimits: readonly WriteLimit[];
  readonly budget: WriteBudget;
  readonly traits: HostTraits;
}

/** How often in a row another client may commit first. */
const MAX_LOST_RACES = 6;

/** One call of the repository writer. */
export class WriteRun {
  private readonly memory: RepositoryMemory;
  private readonly limits = new ChunkLimits();
  private readonly context: FailureContext;
  private readonly call: XrpcCallOptions;
  private readonly committed: RecordWrite[] = [];
  private readonly refusals: RefusedWrites;
  private readonly unanswered: UnansweredRequests;
  /** Since the last commit. */
  private lostRaces = 0;
  /** A scope is missing, and the PDS does not say which: one kind of write at a time. */
  private oneKind = false;

  constructor(
    private readonly request: WriteRequest,
    private readonly settings: WriteRunSettings,
  ) {
    const { did, agent, addresses, signal } = request;
    this.memory = new RepositoryMemory(did, addresses, request.state ?? settings.state);
    this.refusals = new RefusedWrites(did, this.limits);
    this.context = { did, pds: serverOf(agent), writeLimits: settings.writeLimits, method: APPLY_WRITES };
    this.call = { timeoutMs: settings.timeoutMs, signal };
    const fences = { ...settings, context: this.context };
    this.unanswered = new UnansweredRequests(request, fences, this.memory, this.limits, this.refusals);
  }

  async write(): Promise<WriteReport> {
    await this.memory.load();
    try {
      await this.unanswered.fenceLeftover();
      for (;;) {
        const writes = await this.decide();
        if (writes.length === 0 || (await this.send(writes))) break;
      }
      const found = await this.settleFound();
      this.unanswered.throwUnproven();
      this.memory.unfenced();
      await this.memory.save();
      return { committed: this.committed, refused: this.refusals.byUri, found, head: this.memory.head };
    } catch (error) {
      // If the store fails as well, it keeps an older state, which costs requests and is safe. After a lost
      // lease the worker that holds it has stored a newer one.
      if (!(error instanceof LeaseLostError)) await this.memory.save().catch(() => undefined);
      throw error;
    }
  }

  /** @returns writes of earlier calls that have landed, and that no caller has settled until now */
  private async settleFound(): Promise<ReadonlyMap<string, string | null>> {
    const found = this.memory.found(this.refusals.byUri);
    if (found.size > 0) {
      const after = this.memory.after(found.keys());
      await this.request.onFound?.(found, after, this.memory.commit);
      this.memory.settled(after);
    }
    return found;
  }

  private async decide(): Promise<RecordWrite[]> {
    if (this.memory.mustLook || this.request.verify) await this.look();
    let writes = this.ask();
    if (!this.memory.isTrusted && writes.some(({ action }) => action !== 'create')) {
      await this.look();
      writes = this.ask();
    }
    return writes;
  }

  private ask(): RecordWrite[] {
    const writes = this.request.decide(this.memory.view());
    return writes.filter(({ address }) => !this.refusals.byUri.has(atUri(address)));
  }

  /**
   * Reads the head before the records, which are then at least as new as the head that the write will demand.
   */
  private async look(): Promise<void> {
    await this.head();
    this.memory.learn(await currentCids(this.request.agent, this.memory.unread(), this.call));
    const lost = this.unanswered.takeLost();
    const landed = lost?.writes.filter((write) => this.memory.isOurs(atUri(write.address), intentOf(write)));
    if (lost && landed && landed.length > 0) await this.settleWrites(landed, lost.at);
  }

  private async head(): Promise<string> {
    return (this.memory.head ??= (await this.latest()).cid);
  }

  private async latest(): Promise<Commit> {
    const { did, agent } = this.request;
    const commit = await latestCommit(agent, did, this.call);
    this.memory.tell(commit);
    return commit;
  }

  /** @returns false when the writes have to be decided again, because the repository has changed */
  private async send(writes: readonly RecordWrite[]): Promise<boolean> {
    let queue = this.refusals.sift(writes, (uri) => this.memory.cidAt(uri));
    while (queue.length > 0) {
      const chunk = this.affordable(queue);
      const head = await this.head();
      // A request that was not sent leaves nothing to fence.
      if (this.request.signal?.aborted) throw classifyFailure(this.request.signal.reason, this.context).error;
      await permitted(this.request, this.settings.timeoutMs);
      const sent = chunk.map(({ write }) => write);
      // By then the request has arrived, and its points count.
      const until = Date.now() + this.settings.timeoutMs;
      const spent = this.settings.budget.spend(costOf(sent), this.memory.spentPoints, until);
      await this.memory.sending({ head, until }, sent, spent);
      const answer = await this.apply(chunk, head);
      if (answer === 'decide-again') return false;
      if (answer === 'refused') queue = this.refusals.rest(queue);
      else {
        await this.settleWrites(answer.writes, answer.commit, answer.commit.cid);
        queue = queue.slice(chunk.length);
      }
    }
    return true;
  }

  /** @throws WritePointsSpentError */
  private affordable(queue: readonly SizedWrite[]): readonly SizedWrite[] {
    const { budget } = this.settings;
    const { did, backfill = false } = this.request;
    const { spentPoints: spent } = this.memory;
    const chunk = this.alike(this.limits.take(queue, budget.left(spent, backfill)));
    if (chunk.length > 0) return chunk;
    const cost = costOf(queue.slice(0, 1).map(({ write }) => write));
    throw new WritePointsSpentError(did, budget.freeAt(cost, spent, backfill), backfill);
  }

  private alike(chunk: readonly SizedWrite[]): readonly SizedWrite[] {
    const other = chunk.findIndex(({ write }) => scopeOf(write) !== scopeOf(chunk[0]?.write));
    return this.oneKind && other > 0 ? chunk.slice(0, other) : chunk;
  }

  /** @returns `refused`: what is left of the queue, or a smaller part of it, can be sent */
  private async apply(chunk: readonly SizedWrite[], head: string) {
    const { did, agent, validate } = this.request;
    const writes = chunk.map(({ write }) => write);
    try {
      return await applyWrites(agent, { did, writes, head, validate }, this.call);
    } catch (error) {
      const failure = classifyFailure(error, { ...this.context, scope: scopeOf(writes[0]) });
      if (failure.outcome === 'unknown') {
        if (await this.unanswered.findOut(error, failure, chunk)) await this.lostRace(failure);
        return 'decide-again';
      }
      this.memory.notApplied();
      if (isInvalidSwap(error)) this.memory.overtaken();
      if (isInvalidSwap(error) || (await this.wasOvertaken(head, error, failure))) {
        await this.lostRace(failure);
        return 'decide-again';
      }
      if (failure.kind === 'scope' && !this.oneKind && mayLackScopesOfSome(error, writes)) {
        this.oneKind = true;
        return 'refused';
      }
      if (failure.kind !== 'permanent') throw failure.error;
      this.refusals.single(chunk, error as XRPCError);
      this.unanswered.answered();
      return 'refused';
    }
  }

  /**
   * Asks for the head before a refusal is believed: a PDS may call a lost race something else than
   * `InvalidSwap`.
   */
  private async wasOvertaken(head: string, error: unknown, { kind, sessionLost }: Failure): Promise<boolean> {
    const isBelieved =
      kind === 'permanent'
        ? isTooLarge(error)
        : kind !== 'auth' || sessionLost || !isAnswerOfPds(error) || accountState(error) !== undefined;
    if (isBelieved) return false;
    const commit = await this.latest().catch((unread: unknown) => {
      if (kind === 'permanent') throw unread;
      return null;
    });
    if (commit === null || commit.cid === head) return false;
    this.memory.overtaken();
    this.memory.head = commit.cid;
    return true;
  }

  private async lostRace(failure: Failure): Promise<void> {
    if (++this.lostRaces >= MAX_LOST_RACES)
      throw failure.kind === 'transient' ? failure.error : this.outrun(failure);
    await pauseAtRandom(this.lostRaces, this.request.signal);
  }

  /** The PDS may have refused the commit because of the lost race, and not because of its writes. */
  private outrun({ error }: Failure): PdsUnavailableError {
    const { did } = this.request;
    return new PdsUnavailableError(`Another client keeps writing to the repository of ${did}.`, {
      did,
      cause: error,
    });
  }

  /** Writes may have happened, and count as unsettled, until the caller has settled them. */
  private async settleWrites(writes: readonly RecordWrite[], commit: Commit, head?: string): Promise<void> {
    const uris = writes.map(({ address }) => atUri(address));
    const after = this.memory.after(uris, head);
    this.memory.tell(commit);
    await this.request.onCommit?.(writes, commit, after);
    this.memory.written(writes);
    this.memory.settled(after);
    this.committed.push(...writes);
    this.lostRaces = 0;
    this.unanswered.committed();
  }
}
