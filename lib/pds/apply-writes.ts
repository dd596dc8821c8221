import type { Agent } from '@atproto/api';
import { PdsUnavailableError } from '../errors/pds-unavailable.error.js';
import { operationOf } from './chunk-limits.js';
import type { Commit } from './commit.js';
import type { RecordWrite } from './write-request.js';
import { xrpcCall, type XrpcCallOptions } from './xrpc-call.js';

/** A 200 without what a 200 has to contain: whether the writes were carried out is not known. */
export class IncompleteAnswerError extends PdsUnavailableError {
  constructor(problem: string, did: string) {
    super(`The PDS of ${did} answered a write with a success that ${problem}.`, { did });
  }
}

export const APPLY_WRITES = 'com.atproto.repo.applyWrites';

export interface Application {
  readonly did: string;
  /** An empty list makes an empty commit, which costs no points and moves the head. */
  readonly writes: readonly RecordWrite[];
  /** The head that the repository must have (`swapCommit`). */
  readonly head: string;
  readonly validate?: boolean | undefined;
}

/**
 * One commit, all or nothing (com.atproto.repo.applyWrites). It needs the scopes of its writes' actions and
 * no other; `putRecord` would need those to create and to update.
 *
 * @returns the writes with the CIDs that the PDS computed
 * @throws what the client throws, so that the caller can tell a refusal from a lost answer
 */
export async function applyWrites(
  agent: Agent,
  { did, writes, head, validate }: Application,
  options: XrpcCallOptions,
): Promise<{ readonly commit: Commit; readonly writes: readonly RecordWrite[] }> {
  const input = {
    repo: did,
    writes: writes.map(operationOf),
    swapCommit: head,
    ...(validate === undefined ? {} : { validate }),
  };
  const { data } = await xrpcCall((signal) => agent.com.atproto.repo.applyWrites(input, { signal }), options);
  const { commit, results = [] } = data;
  // Optional in the lexicon. Without it the next head is unknown, and so is whether the PDS itself has
  // answered.
  if (commit === undefined) throw new IncompleteAnswerError('does not name its commit', did);
  if (commit.cid === head) throw new IncompleteAnswerError('names the commit before it', did);
  if (results.length < writes.length) {
    throw new IncompleteAnswerError(`has ${results.length} results for ${writes.length} writes`, did);
  }
  const { cid, rev } = commit;
  return {
    commit: { cid, rev },
    writes: writes.map((write, index) => withCid(write, results[index])),
  };
}

function withCid(write: RecordWrite, result: object | undefined): RecordWrite {
  const cid = result && 'cid' in result && typeof result.cid === 'string' ? result.cid : null;
  return write.action === 'delete' || cid === null ? write : { ...write, cid };
}
