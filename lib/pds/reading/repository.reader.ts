import type { Address } from '../../model/address.js';
import type { AccountDirectory } from './account.directory.js';
import type {
  CommitReading,
  Inactive,
  InactiveRepository,
  RecordReading,
  RepositoryReading,
  StatusReading,
} from './reading.js';

export interface RepositoryReaderOptions {
  /** Reaches private addresses, and HTTP: for local networks only. */
  readonly allowHttp?: boolean | undefined;
  /** Milliseconds until a request is given up, and for which a download may stand still; 15,000 by default. */
  readonly timeoutMs?: number | undefined;
  /** Milliseconds that a whole download may take; an hour by default. */
  readonly downloadMs?: number | undefined;
  /** Bytes of the largest repository that is read; 1 GB by default, less than 4 GiB. */
  readonly maxBytes?: number | undefined;
  /** Where repositories are kept while they are read; the system's directory for temporary files by default. */
  readonly temporaryDirectory?: string | undefined;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface RepositoryOptions extends ReadOptions {
  /** NSIDs; null for all collections. */
  readonly collections: readonly string[] | null;
  /** Called while the repository is downloaded, with the bytes so far. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/**
 * Reads repositories from the PDS that an account's DID document names, without a session. What it tells of
 * records is proven by the account's signature (https://atproto.com/specs/repository), unless it says otherwise.
 *
 * All methods throw
 * - an IdentityError where the DID leads to no account,
 * - a PdsUnavailableError or RateLimitedError where the PDS gives no answer now,
 * - a RepositoryUnreadableError where its answer proves nothing,
 * - the signal's reason.
 */
export class RepositoryReader {
  constructor(
    readonly directory: AccountDirectory,
    readonly options: RepositoryReaderOptions = {},
  ) {}

  /** The head of the repository, as the PDS tells it: nothing proves it. */
  async latestCommit(did: string, options: ReadOptions = {}): Promise<CommitReading | Inactive> {
    throw new Error(`not yet: ${did} ${String(options.signal)}`);
  }

  /** The state of the account at its PDS. */
  async status(did: string, options: ReadOptions = {}): Promise<StatusReading> {
    throw new Error(`not yet: ${did} ${String(options.signal)}`);
  }

  /** One record, or the proof that there is none. */
  async record(address: Address, options: ReadOptions = {}): Promise<RecordReading | Inactive> {
    throw new Error(`not yet: ${address.did} ${String(options.signal)}`);
  }

  /**
   * The whole repository, downloaded and signed. Its records are read from memory, or from a temporary file,
   * while they are iterated.
   */
  async repository(did: string, options: RepositoryOptions): Promise<RepositoryReading | InactiveRepository> {
    throw new Error(`not yet: ${did} ${String(options.signal)}`);
  }
}
