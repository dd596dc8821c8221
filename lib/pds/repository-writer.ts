import { DEFAULT_BACKFILL_SHARE, DEFAULT_WRITE_LIMITS, type WriteLimit } from '../model/options.js';
import { HostGates } from './host-gates.js';
import { HostTraits } from './host-traits.js';
import { InMemoryRepositoryStateStore } from './in-memory-repository-state.store.js';
import { KeyedQueue } from '../runtime/keyed-queue.js';
import { MethodMissingError } from './method-missing.error.js';
import { UNKNOWN_REPOSITORY, type RepositoryStateStore } from './repository-state.store.js';
import { WRITE_POINTS, WriteBudget } from './write-budget.js';
import { WriteRun, type WriteRunSettings } from './write-run.js';
import type { WriteReport, WriteRequest } from './write-request.js';
import { DEFAULT_TIMEOUT_MS, serverOf } from './xrpc-call.js';

export type { RecordWrite, RepositoryView, WriteReport, WriteRequest } from './write-request.js';

export interface RepositoryWriterOptions {
  /** In memory by default. */
  readonly state?: RepositoryStateStore | undefined;
  /** Milliseconds until one call of the PDS is given up; 15,000 by default. */
  readonly timeoutMs?: number | undefined;
  /** Write points that one account has; by default those of the reference PDS. */
  readonly writeLimits?: readonly WriteLimit[] | undefined;
  /** The part of the write points that a backfill may use; 0.8 by default. */
  readonly backfillShare?: number | undefined;
  /** Called once for each thing that a PDS host cannot do. */
  readonly warn?: ((message: string) => void) | undefined;
}

/** How many writes could be made for an account now. */
export interface Admission {
  /** Writes of any kind; 0: nothing is to be tried before `retryAt`. */
  readonly writes: number;
  readonly retryAt: Date;
}

/**
 * The one way to write to a repository. Every write demands the head of the repository. So it is decided on
 * what is really there, and a request that arrives late changes nothing.
 */
export class RepositoryWriter {
  private readonly locks = new KeyedQueue();
  private readonly hosts = new HostGates();
  private readonly settings: WriteRunSettings;

  constructor(options: RepositoryWriterOptions = {}) {
    const { writeLimits = DEFAULT_WRITE_LIMITS, backfillShare = DEFAULT_BACKFILL_SHARE } = options;
    this.settings = {
      state: options.state ?? new InMemoryRepositoryStateStore(),
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      writeLimits,
      budget: new WriteBudget({ limits: writeLimits, backfillShare }),
      traits: new HostTraits(options.warn ?? (() => undefined)),
    };
  }

  /**
   * Writes what `request.decide` asks for, in as few requests as the limits allow.
   *
   * - Calls for one DID run one after the other.
   * - A host that does not answer is left alone for a while, whichever account asks.
   * - `onCommit` was told of everything that had been committed before an error is thrown.
   * - The state remembers what may have landed without an answer; the next write of this DID finds out.
   *
   * @throws a ParityError for a failure of the whole repository; see `classifyFailure`
   */
  write(request: WriteRequest): Promise<WriteReport> {
    const { did, agent } = request;
    const host = serverOf(agent) ?? did;
    return this.locks.run(did, () =>
      this.hosts.runRequests(did, host, async () => {
        try {
          return await new WriteRun(request, this.settings).write();
        } catch (error) {
          if (error instanceof MethodMissingError)
            this.settings.traits.tell(host, error.method, error.message);
          throw error;
        }
      }),
    );
  }

  get budget(): WriteBudget {
    return this.settings.budget;
  }

  /** When the PDS host of an account is tried again; null where nothing speaks against trying it now. */
  pausedUntil(did: string): Date | null {
    return this.hosts.pausedUntil(did);
  }

  /**
   * Whether a write makes sense now, as far as hosts and write points are known. Sends no request.
   *
   * @param state instead of the writer's own
   */
  async admits(did: string, backfill: boolean, state = this.settings.state): Promise<Admission> {
    const pausedUntil = this.pausedUntil(did);
    if (pausedUntil) return { writes: 0, retryAt: pausedUntil };
    const { budget } = this.settings;
    const { spentPoints } = (await state.load(did)) ?? UNKNOWN_REPOSITORY;
    return {
      writes: Math.floor(budget.left(spentPoints, backfill) / WRITE_POINTS.create),
      retryAt: budget.freeAt(WRITE_POINTS.create, spentPoints, backfill),
    };
  }
}
