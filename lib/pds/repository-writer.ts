import { InMemoryRepositoryState } from './in-memory-repository-state.store.js';
import { KeyedLock } from './keyed-lock.js';
import type { RepositoryStateStore } from './repository-state.store.js';
import { WriteRun } from './write-run.js';
import type { WriteReport, WriteRequest } from './write-request.js';
import { DEFAULT_TIMEOUT_MS } from './xrpc-call.js';

export type { RecordWrite, RepositoryView, WriteReport, WriteRequest } from './write-request.js';

export interface RepositoryWriterOptions {
  /** In memory by default. */
  readonly state?: RepositoryStateStore | undefined;
  /** Milliseconds until one call of the PDS is given up; 15,000 by default. */
  readonly timeoutMs?: number | undefined;
  /** Writes in one request; 200 by default, the limit of `applyWrites`. */
  readonly maxWrites?: number | undefined;
  /** Bytes of one request's body; 1,000,000 by default, the limit of the reference PDS. */
  readonly maxRequestBytes?: number | undefined;
}

/**
 * The one way to write to a repository. Every write demands the head of the repository, so that it is decided on
 * what is really there, and a request that lands late lands on nothing.
 */
export class RepositoryWriter {
  private readonly locks = new KeyedLock();
  private readonly settings: Required<{
    [K in keyof RepositoryWriterOptions]: NonNullable<RepositoryWriterOptions[K]>;
  }>;

  constructor(options: RepositoryWriterOptions = {}) {
    this.settings = {
      state: options.state ?? new InMemoryRepositoryState(),
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      maxWrites: options.maxWrites ?? 200,
      maxRequestBytes: options.maxRequestBytes ?? 1_000_000,
    };
  }

  /**
   * Writes what `request.decide` asks for, in as few requests as the limits allow. Calls for one DID run one after
   * the other.
   *
   * @throws a ParityError for what concerns the whole repository; see `classifyFailure`. What had been committed by
   * then was told to `onCommit`. What may have landed without an answer is remembered in the state, and the next write of
   * this DID makes sure of it.
   */
  write(request: WriteRequest): Promise<WriteReport> {
    return this.locks.run(request.did, () => new WriteRun(request, this.settings).run());
  }
}
