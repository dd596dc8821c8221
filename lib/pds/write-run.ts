import { XRPCError } from '@atproto/api';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { PdsUnavailableError } from '../errors/pds-unavailable.error.js';
import { atUri } from '../model/address.js';
import { APPLY_WRITES, applyWrites } from './apply-writes.js';
import { ChunkLimits, type SizedWrite } from './chunk-limits.js';
import type { Commit } from './commit.js';
import { classifyFailure, type Failure, type FailureContext } from './failure.js';
import { currentCids, latestCommit } from './reads.js';
import { type Fenced, Fences, pause, permitted } from './fences.js';
import type { HostTraits } from './host-traits.js';
import { isTooLarge } from './pds-refusal.js';
import { RefusedWrites } from './refused-writes.js';
import { RepositoryMemory } from './repository-memory.js';
import type { RepositoryStateStore, RequestInFlight } from './repository-state.store.js';
import { WritePointsSpentError } from './write-points-spent.error.js';
import { costOf, type WriteBudget } from './write-budget.js';
import type { WriteLimit } from '../model/options.js';
import { intentOf, type RecordWrite, type WriteReport, type WriteRequest } from './write-request.js';
import { accountState, isAnswerOfPds, isInvalidSwap, isXrpcAnswer, namedScope } from './words.js';
import { serverOf, type XrpcCallOptions } from './xrpc-call.js';

export interface WriteRunSettings {
  readonly state: RepositoryStateStore;
  readonly timeoutMs: number;
  readonly maxWrites: number;
  readonly maxRequestBytes: number;
  readonly writeLimits: readonly WriteLimit[];
  readonly budget: WriteBudget;
  readonly traits: HostTraits;
}

/** How often in a row somebody else may be faster. */
const MAX_LOST_RACES = 6;
/** How often in a row there may be no answer, or an HTTP 500. */
const MAX_UNANSWERED = 3;

/** One call of the repository writer. */
export class WriteRun {
  private readonly memory: RepositoryMemory;
  private readonly limits: ChunkLimits;
  private readonly context: FailureContext;
  private readonly call: XrpcCallOptions;
  private readonly committed: RecordWrite[] = [];
  private readonly refusals: RefusedWrites;
  private readonly fences: Fences;
  /** Since the last progress. */
  private lostRaces = 0;
  private unanswered = 0;
  /** A write was refused for its 500s; a second one before any other succeeds says that it is the PDS. */
  private suspicious = false;
  /** The same, where nothing shows that the PDS takes other commits. */
  private unproven: Failure | null = null;
  /** A scope is missing, and the PDS does not say which: one kind of write at a time. */
  private oneKind = false;
  /** What may have landed without an answer, and the head under which to look for it. */
  private lost: { readonly writes: readonly RecordWrite[]; readonly at: Commit } | null = null;

  constructor(
    private readonly request: WriteRequest,
    private readonly settings: WriteRunSettings,
  ) {
    const { did, agent, addresses, signal } = request;
    this.memory = new RepositoryMemory(did, addresses, request.state ?? settings.state);
    this.limits = new ChunkLimits(settings.maxWrites, settings.maxRequestBytes);
    this.refusals = new RefusedWrites(did, this.limits, settings.maxRequestBytes);
    this.context = { did, pds: serverOf(agent), writeLimits: settings.writeLimits, method: APPLY_WRITES };
    this.call = { timeoutMs: settings.timeoutMs, signal };
    this.fences = new Fences(request, { ...settings, context: this.context });
  }

  async run(): Promise<WriteReport> {
    await this.memory.load();
    try {
      if (this.memory.inFlight) await this.fence(this.memory.inFlight, []);
      for (;;) {
        const writes = await this.decide();
        if (writes.length === 0 || (await this.send(writes))) break;
      }
      const found = this.memory.found(this.refusals.byUri);
      if (found.size > 0) {
        const after = this.memory.after(found.keys());
        await this.request.onFound?.(found, after);
        this.memory.settled(after);
      }
      if (this.unproven) throw this.unproven.error;
      this.memory.unfenced();
      await this.memory.save();
      return { committed: this.committed, refused: this.refusals.byUri, found, head: this.memory.head };
    } catch (error) {
      // A store that fails on top of it keeps an older state, which costs requests and is safe. Who has the lease by now has a newer one.
      if (!(error instanceof LeaseLostError)) await this.memory.save().catch(() => undefined);
      throw error;
    }
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

  /** Head first, then the records: they are then at least as new as the head that the write will demand. */
  private async look(): Promise<void> {
    await this.head();
    this.memory.learn(await currentCids(this.request.agent, this.memory.unread(), this.call));
    if (this.lost === null) return;
    const { writes, at } = this.lost;
    this.lost = null;
    const landed = writes.filter((write) => this.memory.isOurs(atUri(write.address), intentOf(write)));
    if (landed.length > 0) await this.settle(landed, at);
  }

  private async head(): Promise<string> {
    return (this.memory.head ??= (await this.latest()).cid);
  }

  private latest(): Promise<Commit> {
    const { did, agent } = this.request;
    return latestCommit(agent, did, this.call);
  }

  /** @returns false as soon as the repository is not what the writes were decided on: decide again */
  private async send(writes: readonly RecordWrite[]): Promise<boolean> {
    let queue = this.refusals.sift(writes, (uri) => this.memory.cidAt(uri));
    while (queue.length > 0) {
      const chunk = this.affordable(queue);
      const head = await this.head();
      // Noticed before it is sent, a request leaves nothing to fence.
      if (this.request.signal?.aborted) throw classifyFailure(this.request.signal.reason, this.context).error;
      await permitted(this.request, this.settings.timeoutMs);
      const sent = chunk.map(({ write }) => write);
      // By then it has arrived, and counts.
      const until = Date.now() + this.settings.timeoutMs;
      const spent = this.settings.budget.spend(costOf(sent), this.memory.spent, until);
      await this.memory.sending({ head, until }, sent, spent);
      const answer = await this.apply(chunk, head);
      if (answer === 'decide-again') return false;
      if (answer === 'refused') queue = this.refusals.rest(queue);
      else {
        await this.settle(answer.writes, answer.commit, answer.commit.cid);
        queue = queue.slice(chunk.length);
      }
    }
    return true;
  }

  /** @throws WritePointsSpentError */
  private affordable(queue: readonly SizedWrite[]): readonly SizedWrite[] {
    const { budget } = this.settings;
    const { did, backfill = false } = this.request;
    const { spent } = this.memory;
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
        await this.findOut(error, failure, chunk);
        return 'decide-again';
      }
      this.memory.notApplied();
      if (isInvalidSwap(error)) this.memory.overtaken();
      if (isInvalidSwap(error) || (await this.wasOvertaken(head, error, failure))) {
        await this.lostRace(failure);
        return 'decide-again';
      }
      if (failure.kind === 'scope' && !this.oneKind && isUnnamed(error, writes)) {
        this.oneKind = true;
        return 'refused';
      }
      if (failure.kind !== 'permanent') throw failure.error;
      this.refusals.single(chunk, error as XRPCError);
      this.unanswered = 0;
      return 'refused';
    }
  }

  /** A PDS may tell a lost race in other words than `InvalidSwap`, so before a refusal is believed the head is asked for. */
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
    await this.pause(this.lostRaces);
  }

  /** What the PDS said of the writes may not have been about them. */
  private outrun({ error }: Failure): PdsUnavailableError {
    const { did } = this.request;
    return new PdsUnavailableError(`Somebody else keeps writing to the repository of ${did}.`, {
      did,
      cause: error,
    });
  }

  /** Until the caller has settled them, the writes count as something that may have happened. */
  private async settle(writes: readonly RecordWrite[], commit: Commit, head?: string): Promise<void> {
    const uris = writes.map(({ address }) => atUri(address));
    const after = this.memory.after(uris, head);
    await this.request.onCommit?.(writes, commit, after);
    this.memory.written(writes);
    this.memory.settled(after);
    this.committed.push(...writes);
    this.lostRaces = this.unanswered = 0;
    this.suspicious = false;
    this.unproven = null;
  }

  /** Nobody knows whether the request was carried out, or still will be: first make sure that it can't be any more. */
  private async findOut(error: unknown, failure: Failure, chunk: readonly SizedWrite[]): Promise<void> {
    const { inFlight, isVerified: informed } = this.memory;
    const byPds = isAnswerOfPds(error);
    const patience = byPds ? 2 * MAX_UNANSWERED : MAX_UNANSWERED;
    if (!inFlight || ++this.unanswered >= patience || this.request.signal?.aborted) throw failure.error;
    await this.pause(this.unanswered);
    const writes = chunk.map(({ write }) => write);
    // What the PDS has answered is over.
    const until = byPds && (isXrpcAnswer(error) || Number(error.status) !== 500) ? 0 : inFlight.until;
    const fence = await this.fence({ ...inFlight, until }, writes, failure);
    if (fence === 'moved') return this.lostRace(failure);
    if (!byPds) return;
    // It may have met a record that we did not expect there, or the lack of one.
    this.memory.doubt();
    if (informed) this.suspect(chunk, error, failure, fence);
  }

  /** @param writes what was sent, as far as this call knows */
  private async fence(
    inFlight: Pick<RequestInFlight, 'head' | 'until'>,
    writes: readonly RecordWrite[],
    lost?: Failure,
  ): Promise<Fenced['outcome']> {
    const { outcome, at } = await this.fences.raise(inFlight, lost);
    if (outcome === 'held') this.memory.advance(at.cid);
    else this.memory.doubt();
    if (outcome === 'waited') this.memory.head = at.cid;
    if (outcome === 'moved') {
      this.memory.overtaken();
      this.memory.head = at.cid;
      this.lost = { writes, at };
    }
    return outcome;
  }

  /** A 500 to writes that were decided on what is really there, from a PDS that has just taken the fence. */
  private suspect(
    chunk: readonly SizedWrite[],
    answer: XRPCError,
    failure: Failure,
    fence: Fenced['outcome'],
  ): void {
    const [first, second] = chunk;
    if (second) {
      this.limits.search(chunk.length);
      this.unanswered = 0;
      return;
    }
    if (!first || this.unanswered < MAX_UNANSWERED) return;
    if (this.suspicious) throw failure.error;
    this.suspicious = true;
    this.unanswered = 0;
    if (fence === 'waited') this.unproven = failure;
    this.refusals.poisonous(first, answer, failure.error);
  }

  /** Up to 50, 100, 200 ... ms, at random, so that two who lose against each other don't meet again. */
  private async pause(round: number): Promise<void> {
    await pause(Math.random() * 25 * 2 ** round, this.request.signal);
  }
}

/** The scope that a write needs (https://atproto.com/specs/permission). */
const scopeOf = (write: RecordWrite | undefined): string | undefined =>
  write && `repo:${write.address.collection}?action=${write.action}`;

/** Whether a missing scope may be that of some of the writes only. */
const isUnnamed = (error: unknown, writes: readonly RecordWrite[]): boolean =>
  error instanceof XRPCError &&
  namedScope(error) === undefined &&
  writes.some((write) => scopeOf(write) !== scopeOf(writes[0]));
