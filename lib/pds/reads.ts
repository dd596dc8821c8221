import { type Agent, XRPCError } from '@atproto/api';
import type { ParityError } from '../errors/parity.error.js';
import { PdsUnavailableError } from '../errors/pds-unavailable.error.js';
import { type Address, atUri } from '../model/address.js';
import type { Commit } from './commit.js';
import { isConnectionBroken } from './connection-failure.js';
import { classifyFailure } from './failure.js';
import type { FailureContext } from './failure-kinds.js';
import { accountState, isRecordMissing, isWordless, said } from './pds-answers.js';
import { serverOf, xrpcCall, type XrpcCallOptions } from './xrpc-call.js';

/** Reads go out together, but a host limits all requests of a server: 3,000 in five minutes. */
const CONCURRENCY = 10;
const GET_RECORD = 'com.atproto.repo.getRecord';

interface Found {
  /** Null if there is no record, or it is taken down. */
  readonly cid: string | null;
  /** False where there is no record if the repository exists; see `isRecordMissing`. */
  readonly isSure: boolean;
  /** The answer, where there is no record if the PDS has the method; see `isWordless`. */
  readonly wordless?: XRPCError;
}

async function find(agent: Agent, address: Address, options: XrpcCallOptions): Promise<Found> {
  const { did, collection, rkey } = address;
  try {
    const { data } = await read(
      (signal) => agent.com.atproto.repo.getRecord({ repo: did, collection, rkey }, { signal }),
      options,
    );
    if (data.cid === undefined) {
      throw new PdsUnavailableError(`The PDS of ${did} gave ${atUri(address)} without its CID.`, { did });
    }
    return { cid: data.cid, isSure: true };
  } catch (error) {
    const missing = isRecordMissing(error);
    if (missing) return { cid: null, isSure: missing !== 'perhaps' };
    if (isWordless(error)) return { cid: null, isSure: false, wordless: error };
    throw readFailure(error, GET_RECORD, { did, pds: serverOf(agent) });
  }
}

/**
 * Asks for a record without a key. A PDS that has the method refuses that, while one that lacks it answers
 * as to any other request.
 *
 * @param answer that the PDS gave to another request for a record
 * @throws MethodMissingError if it answers the same again
 */
async function checkMethod(
  agent: Agent,
  did: string,
  answer: XRPCError,
  options: XrpcCallOptions,
): Promise<void> {
  const context = { did, pds: serverOf(agent) };
  try {
    await read(
      (signal) => agent.com.atproto.repo.getRecord({ repo: did, collection: '', rkey: '' }, { signal }),
      options,
    );
  } catch (error) {
    if (isWordless(error)) throw readFailure(answer, GET_RECORD, context);
    const isRefused =
      error instanceof XRPCError && error.headers !== undefined && Number(error.status) === 400;
    if (!isRefused) throw readFailure(error, GET_RECORD, context);
  }
}

/**
 * The head of a repository.
 *
 * @throws a ParityError, which never blames a record
 */
export async function latestCommit(
  agent: Agent,
  did: string,
  options: XrpcCallOptions = {},
): Promise<Commit> {
  try {
    const { data } = await read(
      (signal) => agent.com.atproto.sync.getLatestCommit({ did }, { signal }),
      options,
    );
    return { cid: data.cid, rev: data.rev };
  } catch (error) {
    throw readFailure(error, 'com.atproto.sync.getLatestCommit', { did, pds: serverOf(agent) });
  }
}

/** A refused read is no fault of a record or a session. It only means that there is no answer now. */
export function readFailure(error: unknown, method: string, context: FailureContext): ParityError {
  const { kind, sessionLost, error: told } = classifyFailure(error, { ...context, method });
  const isOther = kind === 'transient' || sessionLost || accountState(error) !== undefined;
  if (isOther || !(error instanceof XRPCError) || error.headers === undefined) return told;
  const { did, pds } = context;
  const message = `The PDS${pds ? ` ${pds}` : ''} does not answer ${method} for ${did} (${said(error)}).`;
  return new PdsUnavailableError(message, { did, cause: error });
}

/**
 * Reads a second time where the connection broke: after a lost answer hundreds of records are read, and one
 * broken connection would fail them all.
 */
async function read<T>(call: (signal: AbortSignal) => Promise<T>, options: XrpcCallOptions): Promise<T> {
  try {
    return await xrpcCall(call, options);
  } catch (error) {
    if (!isConnectionBroken(error)) throw error;
    return xrpcCall(call, options);
  }
}

/**
 * CID per at-uri, null where there is no record, or it is taken down.
 *
 * @throws a ParityError, which never blames a record
 */
export async function currentCids(
  agent: Agent,
  addresses: readonly Address[],
  options: XrpcCallOptions = {},
): Promise<Map<string, string | null>> {
  const cids = new Map<string, string | null>();
  let next = 0;
  let isSure = true;
  let wordless: XRPCError | undefined;
  const worker = async (): Promise<void> => {
    for (let address = addresses[next++]; address; address = addresses[next++]) {
      try {
        const found = await find(agent, address, options);
        isSure &&= found.isSure;
        wordless ??= found.wordless;
        cids.set(atUri(address), found.cid);
      } catch (error) {
        next = addresses.length; // the others stop too
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, addresses.length) }, worker));
  // Asked afterwards, once for all of them: the account may have been deactivated in between.
  const [one] = addresses;
  if (wordless && one) await checkMethod(agent, one.did, wordless, options);
  if (!isSure && one) await latestCommit(agent, one.did, options);
  return cids;
}
