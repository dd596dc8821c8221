import type { Cid } from '@atproto/lex-data';
import type { RepositoryBlocks } from './repository-blocks.js';
import { MAX_LEVELS, noNode, treeNode, type TreeEntry, type TreeNode } from './tree-node.js';
import type { WantedKeys } from './wanted-keys.js';

interface Step {
  readonly node: TreeNode;
  /** The key behind all of the node. */
  readonly before: string | null;
  /** How many of its entries have been passed. */
  passed: number;
}

/**
 * The wanted entries of a tree, in the byte order of their keys. It reads no subtree that cannot have any, and
 * keeps the path to the current entry only. (The `MST` of @atproto/repo keeps every node that it has read.)
 *
 * @throws RepositoryUnreadableError
 */
export function* walkTree(
  blocks: RepositoryBlocks,
  root: Cid,
  wanted: WantedKeys,
): Generator<TreeEntry, void, undefined> {
  const path: Step[] = [];
  const enter = (cid: Cid | null, after: string, before: string | null): void => {
    if (cid === null || !wanted.mayBeBetween(after, before)) return;
    if (path.length >= MAX_LEVELS) throw noNode(blocks.did, cid, 'it is too deep in the tree');
    const node = treeNode(blocks, cid, { after, before });
    path.push({ node, before, passed: 0 });
    enter(node.left, after, node.entries[0]?.key ?? before);
  };
  enter(root, '', null);
  for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
    const { node, before } = step;
    const entry = node.entries[step.passed];
    if (entry === undefined) {
      path.pop();
      continue;
    }
    step.passed += 1;
    if (wanted.has(entry.key)) yield entry;
    enter(entry.right, entry.key, node.entries[step.passed]?.key ?? before);
  }
}

/**
 * The CID at a key; null for the proof that there is none.
 *
 * @throws RepositoryUnreadableError
 */
export function findInTree(blocks: RepositoryBlocks, root: Cid, key: string): Cid | null {
  let after = '';
  let before: string | null = null;
  let cid: Cid | null = root;
  for (let level = 0; cid !== null; level++) {
    if (level >= MAX_LEVELS) throw noNode(blocks.did, cid, 'it is too deep in the tree');
    const { left, entries }: TreeNode = treeNode(blocks, cid, { after, before });
    const next = entries.findIndex((entry) => entry.key >= key);
    const entry = entries[next];
    if (entry?.key === key) return entry.value;
    const previous = entries.at(next === -1 ? -1 : next - 1);
    const isFirst = next === 0 || previous === undefined;
    cid = isFirst ? left : previous.right;
    if (!isFirst) after = previous.key;
    before = entry?.key ?? before;
  }
  return null;
}
