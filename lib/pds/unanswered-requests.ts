import type { XRPCError } from '@atproto/api';
import type { ChunkLimits, SizedWrite } from './chunk-limits.js';
import type { Commit } from './commit.js';
import type { Failure } from './failure-kinds.js';
import { Fences, pauseAtRandom, type Fenced, type FenceSettings } from './fences.js';
import type { RefusedWrites } from './refused-writes.js';
import type { RepositoryMemory } from './repository-memory.js';
import type { RequestInFlight } from './repository-state.store.js';
import { isAnswerOfPds, isXrpcAnswer } from './pds-answers.js';
import type { RecordWrite, WriteRequest } from './write-request.js';

/** How often in a row a request may get no answer, or an HTTP 500. */
const MAX_UNANSWERED = 3;

/** Writes that may have landed without an answer, and the head under which to look for them. */
export interface LostWrites {
  readonly writes: readonly RecordWrite[];
  readonly at: Commit;
}

/**
 * The requests of one call of the writer whose outcome the PDS did not tell. Each is fenced before anything
 * else is sent: a request that lands after a newer one would undo it.
 */
export class UnansweredRequests {
  private readonly fences: Fences;
  /** Since the last progress. */
  private count = 0;
  /**
   * A write was refused for its 500s. A second one before any other succeeds shows that the PDS is the cause.
   */
  private isSuspicious = false;
  /** The failure of such a write, where nothing shows that the PDS takes other commits. */
  private unproven: Failure | null = null;
  private lost: LostWrites | null = null;

  constructor(
    private readonly request: WriteRequest,
    settings: FenceSettings,
    private readonly memory: RepositoryMemory,
    private readonly limits: ChunkLimits,
    private readonly refusals: RefusedWrites,
  ) {
    this.fences = new Fences(request, settings);
  }

  /** Fences a request that an earlier call has left in flight. */
  async fenceLeftover(): Promise<void> {
    if (this.memory.inFlight) await this.fence(this.memory.inFlight, []);
  }

  /**
   * Finds out whether a request was carried out, having made sure first that it can't be any more.
   *
   * @returns whether the repository has moved meanwhile
   * @throws the failure's error where the PDS has not answered often enough
   */
  async findOut(error: unknown, failure: Failure, chunk: readonly SizedWrite[]): Promise<boolean> {
    const { inFlight, isVerified } = this.memory;
    const byPds = isAnswerOfPds(error);
    const limit = byPds ? 2 * MAX_UNANSWERED : MAX_UNANSWERED;
    if (!inFlight || ++this.count >= limit || this.request.signal?.aborted) throw failure.error;
    await pauseAtRandom(this.count, this.request.signal);
    const writes = chunk.map(({ write }) => write);
    // The PDS has answered, so the request is over.
    const until = byPds && (isXrpcAnswer(error) || Number(error.status) !== 500) ? 0 : inFlight.until;
    const outcome = await this.fence({ ...inFlight, until }, writes, failure);
    if (outcome === 'moved') return true;
    if (!byPds) return false;
    // The request may have met a record that was not expected there, or the lack of one.
    this.memory.doubt();
    if (isVerified) this.suspect(chunk, error, failure, outcome);
    return false;
  }

  /** The writes to look for once the records are read. */
  takeLost(): LostWrites | null {
    const { lost } = this;
    this.lost = null;
    return lost;
  }

  /** The PDS has answered a request with a refusal. */
  answered(): void {
    this.count = 0;
  }

  /** The PDS has taken a commit. */
  committed(): void {
    this.count = 0;
    this.isSuspicious = false;
    this.unproven = null;
  }

  /** @throws the error of a write that was refused, if the PDS has taken no other commit since */
  throwUnproven(): void {
    if (this.unproven) throw this.unproven.error;
  }

  /** @param writes what was sent, as far as this call knows */
  private async fence(
    inFlight: Pick<RequestInFlight, 'head' | 'until'>,
    writes: readonly RecordWrite[],
    lost?: Failure,
  ): Promise<Fenced['outcome']> {
    const { outcome, at } = await this.fences.raise(inFlight, lost);
    this.memory.tell(at);
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
    outcome: Fenced['outcome'],
  ): void {
    const [first, second] = chunk;
    if (second) {
      this.limits.search(chunk.length);
      this.count = 0;
      return;
    }
    if (!first || this.count < MAX_UNANSWERED) return;
    if (this.isSuspicious) throw failure.error;
    this.isSuspicious = true;
    this.count = 0;
    if (outcome === 'waited') this.unproven = failure;
    this.refusals.poisonous(first, answer, failure.error);
  }
}
