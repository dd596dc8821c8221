import { decode } from '@atproto/lex-cbor';
import { isCid, type Cid } from '@atproto/lex-data';
import { broken } from './broken.js';
import { cborProblem } from './cbor-problem.js';
import type { RepositoryBlocks } from './repository-blocks.js';

/** A node has four entries on average, and the path to a record is kept. */
const MAX_NODE_BYTES = 500_000;
/** No key has a hash that begins with that many pairs of zero bits, so no tree has that many levels. */
export const MAX_LEVELS = 64;

/**
 * An entry of a node. Keys are strings of bytes, a character for each, which compare in the order of the
 * tree.
 */
export interface TreeEntry {
  readonly key: string;
  readonly value: Cid;
  /** The subtree of the keys behind this one. */
  readonly right: Cid | null;
}

export interface TreeNode {
  /** The subtree of the keys before all of them. */
  readonly left: Cid | null;
  /** In ascending order. */
  readonly entries: readonly TreeEntry[];
}

/**
 * A node of the tree of records (https://atproto.com/specs/repository#mst-structure), of which all keys are
 * between two others.
 *
 * @param bounds exclusive; '' and null for none
 * @throws RepositoryUnreadableError
 */
export function treeNode(
  blocks: RepositoryBlocks,
  cid: Cid,
  bounds: { readonly after: string; readonly before: string | null } = { after: '', before: null },
): TreeNode {
  const { did } = blocks;
  const bytes = blocks.get(cid, MAX_NODE_BYTES);
  if (bytes === null) throw noNode(did, cid, 'it is too large');
  if (cborProblem(bytes, 4) !== null) throw noNode(did, cid, 'it is no map');
  const { l: left, e: entries } = decode(bytes) as { readonly l?: unknown; readonly e?: unknown };
  if (!isLink(left) || !Array.isArray(entries)) throw noNode(did, cid, 'its fields are others');
  // The first key of a node is whole.
  let previous = '';
  let last = bounds.after;
  const read = entries.map((entry: unknown): TreeEntry => {
    const { p: shared, k: rest, v: value, t: right } = (entry ?? {}) as Record<string, unknown>;
    if (!isCid(value) || !isLink(right) || !(rest instanceof Uint8Array) || typeof shared !== 'number') {
      throw noNode(did, cid, 'the fields of an entry are others');
    }
    const key = previous.slice(0, shared) + Buffer.from(rest).toString('latin1');
    if (shared > previous.length || key <= last) throw noNode(did, cid, 'its keys are out of order');
    last = previous = key;
    return { key, value, right };
  });
  if (bounds.before !== null && last >= bounds.before) throw noNode(did, cid, 'its keys are out of order');
  return { left, entries: read };
}

const isLink = (value: unknown): value is Cid | null => value === null || isCid(value);

export const noNode = (did: string, cid: Cid, detail: string): Error =>
  broken(did, 'invalid-tree', `the node ${cid.toString()} of its tree is not one: ${detail}`);
