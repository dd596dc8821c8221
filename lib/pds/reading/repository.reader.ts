import { XRPCError } from '@atproto/api';
import type { Address } from '../../model/address.js';
import { isMethodMissing, isRecordMissing } from '../pds-answers.js';
import type { Account, AccountDirectory } from './account.directory.js';
import { AccountQueries, inactiveStatus } from './account.queries.js';
import { collectionsOf, commitOf, statusOf } from './account-answers.js';
import { broken } from './broken.js';
import { download, type DownloadLimits } from './download.js';
import { ListedRepository } from './listed-repository.js';
import { PdsQueries, queryFailure, type QueryAnswer, type QueryParameters } from './pds.queries.js';
import type {
  CommitReading,
  Inactive,
  InactiveRepository,
  RecordReading,
  RepositoryReading,
  StatusReading,
} from './reading.js';
import { contentOf, MAX_RECORD_BYTES } from './record-bytes.js';
import { RepositoryBlocks } from './repository-blocks.js';
import { signedCommit, type SignedCommit } from './signed-commit.js';
import { findInTree } from './tree-walk.js';
import { WantedKeys } from './wanted-keys.js';
import { WholeRepository } from './whole-repository.js';

const GET_LATEST_COMMIT = 'com.atproto.sync.getLatestCommit';
const GET_REPO_STATUS = 'com.atproto.sync.getRepoStatus';
const GET_RECORD = 'com.atproto.sync.getRecord';
const GET_REPO = 'com.atproto.sync.getRepo';
const DESCRIBE_REPO = 'com.atproto.repo.describeRepo';

/** Of a record with its proof: the path to it has some nodes more. */
const MAX_PROOF_BYTES = 2 * MAX_RECORD_BYTES;
/** Offsets within a repository are numbers of 32 bits. */
const MAX_BYTES = 2 ** 32 - 1;
const DEFAULT_MAX_BYTES = 1_000_000_000;
const STALL_MS = 60_000;
const DOWNLOAD_MS = 3_600_000;
/** In ms. A key that was found so long ago is the current one. */
const FRESH_KEY_MS = 5_000;

export interface RepositoryReaderOptions {
  /** Reaches private addresses, and HTTP: for local networks only. */
  readonly allowHttp?: boolean | undefined;
  /** Milliseconds until a request is given up; 15,000 by default. */
  readonly timeoutMs?: number | undefined;
  /** Milliseconds for which the download of a repository may stand still; 60,000 by default. */
  readonly stallMs?: number | undefined;
  /** Milliseconds that the download of a repository may take in all; an hour by default. */
  readonly downloadMs?: number | undefined;
  /** Bytes of the largest repository that is read; 1,000,000,000 by default, less than 4 GiB. */
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
 * records is proven by the account's signature (https://atproto.com/specs/repository), unless it says
 * otherwise.
 *
 * All methods throw
 * - an IdentityError where the DID leads to no account,
 * - a PdsUnavailableError or RateLimitedError where the PDS gives no answer now,
 * - a RepositoryUnreadableError where its answer proves nothing,
 * - the signal's reason.
 */
export class RepositoryReader {
  private readonly accounts: AccountQueries;
  private readonly queries: PdsQueries;

  constructor(
    private readonly directory: AccountDirectory,
    private readonly options: RepositoryReaderOptions = {},
  ) {
    this.accounts = new AccountQueries(directory);
    this.queries = new PdsQueries(options);
  }

  /** The head of the repository, as the PDS tells it: nothing proves it. */
  async latestCommit(did: string, { signal }: ReadOptions = {}): Promise<CommitReading | Inactive> {
    return this.accounts.answer({
      did,
      method: GET_LATEST_COMMIT,
      signal,
      ask: async ({ pds }) => this.commitAt(pds, did, signal),
    });
  }

  /** The state of the account at its PDS. */
  async status(did: string, { signal }: ReadOptions = {}): Promise<StatusReading> {
    const reading = await this.accounts.answer<StatusReading>({
      did,
      method: GET_REPO_STATUS,
      signal,
      ask: async ({ pds }) => {
        try {
          return statusOf(did, await this.queries.json(pds, GET_REPO_STATUS, { did }, signal));
        } catch (error) {
          if (!isMissing(error)) throw error;
          return this.commitAt(pds, did, signal);
        }
      },
    });
    return { rev: null, ...reading };
  }

  /** One record, or the proof that there is none. */
  async record(address: Address, { signal }: ReadOptions = {}): Promise<RecordReading | Inactive> {
    const { did, collection, rkey } = address;
    return this.accounts.answer<RecordReading>({
      did,
      method: GET_RECORD,
      signal,
      ask: async (account) => {
        await using blocks = new RepositoryBlocks(did);
        const { rev, data } = await this.proof(account, blocks, address, signal);
        const cid = findInTree(blocks, data, `${collection}/${rkey}`);
        if (cid === null) return { status: 'active', rev, cid };
        const content = contentOf(blocks.get(cid, MAX_RECORD_BYTES), address);
        return { status: 'active', rev, cid: cid.toString(), ...content };
      },
    });
  }

  /**
   * A repository, downloaded, and its signature verified. Its records are read from memory, or from a
   * temporary file, while they are iterated.
   */
  async repository(
    did: string,
    { collections, signal, onBytes }: RepositoryOptions,
  ): Promise<RepositoryReading | InactiveRepository> {
    const reading = await this.accounts.answer<RepositoryReading>({
      did,
      method: GET_REPO,
      signal,
      ask: async (account) => {
        const blocks = new RepositoryBlocks(did, this.options.temporaryDirectory);
        try {
          const { stallMs = STALL_MS, downloadMs = DOWNLOAD_MS } = this.options;
          const limits = { maxBytes: this.maxBytes, stallMs, downloadMs, signal, onBytes };
          const commit = await this.signed(account, blocks, [GET_REPO, { did }], limits);
          return new WholeRepository(blocks, commit, new WantedKeys(collections), signal);
        } catch (error) {
          await blocks[Symbol.asyncDispose]();
          if (!isMissing(error)) throw error;
          return this.listed(account.pds, did, { collections, signal });
        }
      },
    });
    return reading.status === 'active' ? reading : { ...reading, [Symbol.asyncDispose]: nothing };
  }

  private async commitAt(pds: string, did: string, signal: AbortSignal | undefined): Promise<CommitReading> {
    return commitOf(did, await this.queries.json(pds, GET_LATEST_COMMIT, { did }, signal));
  }

  /** Downloads a CAR into blocks, and verifies its commit. */
  private async signed(
    account: Account,
    blocks: RepositoryBlocks,
    [method, parameters]: readonly [string, QueryParameters],
    limits: DownloadLimits,
  ): Promise<SignedCommit> {
    const { did } = blocks;
    const open = (signal: AbortSignal): Promise<Response> =>
      this.queries.open(account.pds, method, parameters, signal);
    const root = await download(open, blocks, limits);
    return signedCommit(blocks, root, async (again) => {
      if (!again) return account.signingKey;
      return (await this.directory.account(did, { notBefore: Date.now() - FRESH_KEY_MS })).signingKey;
    });
  }

  private async proof(
    account: Account,
    blocks: RepositoryBlocks,
    { did, collection, rkey }: Address,
    signal: AbortSignal | undefined,
  ): Promise<SignedCommit> {
    const { timeoutMs } = this.queries;
    const limits = { maxBytes: MAX_PROOF_BYTES, stallMs: timeoutMs, downloadMs: timeoutMs, signal };
    try {
      return await this.signed(account, blocks, [GET_RECORD, { did, collection, rkey }], limits);
    } catch (error) {
      const isAnswer = inactiveStatus(error) === undefined && isRecordMissing(error) === true;
      if (!isAnswer) throw error;
      throw broken(did, 'no-proof', `its PDS says that there is no record, and does not prove it`, error);
    }
  }

  /** The records in pages, of a PDS that does not give repositories as one. */
  private async listed(
    pds: string,
    did: string,
    { collections, signal }: RepositoryOptions,
  ): Promise<RepositoryReading> {
    const latestCommit = (): Promise<CommitReading> => this.commitAt(pds, did, signal);
    const before = await latestCommit();
    const query = (method: string, parameters: QueryParameters): Promise<QueryAnswer> =>
      this.queries.json(pds, method, parameters, signal);
    const listing = {
      did,
      collections: collections ?? collectionsOf(did, await query(DESCRIBE_REPO, { repo: did })),
      maxBytes: this.maxBytes,
      // What fails while records are iterated.
      query: (method: string, parameters: QueryParameters) =>
        query(method, parameters).catch((error: unknown) => {
          if (signal?.aborted) throw signal.reason;
          throw queryFailure(error, method, { did, pds });
        }),
    };
    return new ListedRepository(listing, before, () => this.latestCommit(did, { signal }));
  }

  private get maxBytes(): number {
    return Math.min(this.options.maxBytes ?? DEFAULT_MAX_BYTES, MAX_BYTES);
  }
}

const nothing = async (): Promise<void> => undefined;

/** The PDS does not have the method. Some answer that with a 404 alone. */
const isMissing = (error: unknown): boolean =>
  error instanceof XRPCError &&
  error.headers !== undefined &&
  inactiveStatus(error) === undefined &&
  (isMethodMissing(error) || Number(error.status) === 404);
