import { type Agent, lexToJson, XRPCError } from '@atproto/api';
import { PdsUnavailableError } from '../errors/pds-unavailable.error.js';
import { type Address, atUri } from '../model/address.js';
import type { Commit } from './commit.js';
import { classifyFailure, isConnectionBroken } from './failure.js';
import { serverOf, xrpcCall, type XrpcCallOptions } from './xrpc-call.js';

export interface RecordAtPds {
  readonly cid: string;
  /** JSON, as it came over the wire. */
  readonly value: Record<string, unknown>;
}

/** Reads go out together, but a host limits all of a server's requests: 3,000 in five minutes. */
const CONCURRENCY = 10;

/**
 * The record at an address; null if there is none (or one that is taken down).
 * @throws a ParityError, as `classifyFailure` makes it
 */
export async function getRecord(
  agent: Agent,
  address: Address,
  options: XrpcCallOptions = {},
): Promise<RecordAtPds | null> {
  const { did, collection, rkey } = address;
  try {
    const { data } = await read(
      (signal) => agent.com.atproto.repo.getRecord({ repo: did, collection, rkey }, { signal }),
      options,
    );
    if (data.cid === undefined) {
      throw new PdsUnavailableError(`The PDS of ${did} gave ${atUri(address)} without its CID.`, { did });
    }
    return { cid: data.cid, value: lexToJson(data.value) as Record<string, unknown> };
  } catch (error) {
    if (error instanceof XRPCError && error.error === 'RecordNotFound') return null;
    throw classifyFailure(error, { did, pds: serverOf(agent) }).error;
  }
}

/**
 * The head of a repository.
 * @throws a ParityError, as `classifyFailure` makes it
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
    throw classifyFailure(error, { did, pds: serverOf(agent) }).error;
  }
}

/** A second time where the connection broke: of the hundreds that follow a lost answer, one would fail them all. */
async function read<T>(call: (signal: AbortSignal) => Promise<T>, options: XrpcCallOptions): Promise<T> {
  try {
    return await xrpcCall(call, options);
  } catch (error) {
    if (!isConnectionBroken(error)) throw error;
    return xrpcCall(call, options);
  }
}

/**
 * CID per at-uri, null where there is no record.
 * @throws a ParityError, as `classifyFailure` makes it
 */
export async function currentCids(
  agent: Agent,
  addresses: readonly Address[],
  options: XrpcCallOptions = {},
): Promise<Map<string, string | null>> {
  const cids = new Map<string, string | null>();
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let address = addresses[next++]; address; address = addresses[next++]) {
      try {
        cids.set(atUri(address), (await getRecord(agent, address, options))?.cid ?? null);
      } catch (error) {
        next = addresses.length; // the others stop too
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, addresses.length) }, worker));
  return cids;
}
