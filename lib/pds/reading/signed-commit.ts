import { decode } from '@atproto/lex-cbor';
import type { Cid } from '@atproto/lex-data';
import { def, verifyCommitSig } from '@atproto/repo';
import { isValidTid } from '@atproto/syntax';
import { reasonOf } from '../../errors/reason-of.js';
import { broken } from './broken.js';
import { cborProblem } from './cbor-problem.js';
import type { RepositoryBlocks } from './repository-blocks.js';

const MAX_COMMIT_BYTES = 10_000;

/** A commit of a repository that the account's key has signed. */
export interface SignedCommit {
  readonly rev: string;
  /** The root of the tree of records. */
  readonly data: Cid;
}

/**
 * The commit of a repository (https://atproto.com/specs/repository#commit-objects).
 *
 * @param keyOf gives the account's signing key; where that has not signed, it is asked again with `true` for a
 *   key that the DID document names by now
 * @throws RepositoryUnreadableError
 */
export async function signedCommit(
  blocks: RepositoryBlocks,
  root: Cid,
  keyOf: (again: boolean) => Promise<string>,
): Promise<SignedCommit> {
  const { did } = blocks;
  const commit = commitOf(did, blocks.get(root, MAX_COMMIT_BYTES));
  const key = await keyOf(false);
  if (await isSignedBy(commit, key)) return commit;
  const current = await keyOf(true);
  if (current !== key && (await isSignedBy(commit, current))) return commit;
  throw broken(did, 'wrong-signature', 'the key in its DID document has not signed its commit');
}

function commitOf(did: string, bytes: Uint8Array | null): Commit {
  if (bytes === null || cborProblem(bytes, 4) !== null) throw notACommit(did, 'it is no map');
  const { success, data: commit, error } = def.commit.schema.safeParse(decode(bytes));
  if (!success) throw notACommit(did, 'it lacks fields of version 3, or has others', error);
  if (commit.did !== did) throw notACommit(did, 'it is of another account');
  if (!isValidTid(commit.rev)) throw notACommit(did, 'its rev is no TID');
  return commit;
}

type Commit = ReturnType<typeof def.commit.schema.parse>;

const notACommit = (did: string, detail: string, cause?: unknown): Error =>
  broken(did, 'invalid-commit', `its commit is not one: ${detail}`, cause);

async function isSignedBy(commit: Commit, key: string): Promise<boolean> {
  try {
    return await verifyCommitSig(commit, key);
  } catch (cause) {
    throw broken(
      commit.did,
      'wrong-signature',
      `its signature cannot be verified: ${reasonOf(cause)}`,
      cause,
    );
  }
}
