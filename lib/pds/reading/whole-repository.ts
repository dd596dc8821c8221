import { setImmediate } from 'node:timers/promises';
import { isValidNsid, isValidRecordKey } from '@atproto/syntax';
import type { RepositoryReading, RepositoryRecord } from './reading.js';
import { contentOf, MAX_RECORD_BYTES, unreadable } from './record-bytes.js';
import type { RepositoryBlocks } from './repository-blocks.js';
import type { SignedCommit } from './signed-commit.js';
import { walkTree } from './tree-walk.js';
import type { WantedKeys } from './wanted-keys.js';

/** Other work of the process comes in between so many records. */
const AT_ONCE = 64;

/** A repository that was downloaded as one, with a commit that its account has signed. */
export class WholeRepository implements RepositoryReading {
  readonly status = 'active';
  readonly isWhole = true;
  readonly rev: string;
  readonly records: AsyncIterable<RepositoryRecord>;

  constructor(
    private readonly blocks: RepositoryBlocks,
    { rev, data }: SignedCommit,
    wanted: WantedKeys,
    signal: AbortSignal | undefined,
  ) {
    this.rev = rev;
    this.records = recordsOf(blocks, data, wanted, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.blocks[Symbol.asyncDispose]();
  }
}

async function* recordsOf(
  blocks: RepositoryBlocks,
  data: SignedCommit['data'],
  wanted: WantedKeys,
  signal: AbortSignal | undefined,
): AsyncGenerator<RepositoryRecord, void, undefined> {
  try {
    let count = 0;
    for (const { key, value } of walkTree(blocks, data, wanted)) {
      signal?.throwIfAborted();
      yield recordAt(blocks.did, key, value.toString(), blocks.get(value, MAX_RECORD_BYTES));
      count += 1;
      if (count % AT_ONCE === 0) await setImmediate();
    }
  } finally {
    await blocks[Symbol.asyncDispose]();
  }
}

function recordAt(did: string, key: string, cid: string, bytes: Uint8Array | null): RepositoryRecord {
  const slash = key.indexOf('/');
  const [collection, rkey] = slash === -1 ? [key, ''] : [key.slice(0, slash), key.slice(slash + 1)];
  if (isValidNsid(collection) && isValidRecordKey(rkey)) {
    return { collection, rkey, cid, ...contentOf(bytes, { did, collection, rkey }) };
  }
  const address = { did, collection: asText(collection), rkey: asText(rkey) };
  const { error } = unreadable(address, 'key', 'its key is no collection with a record key');
  return { collection: address.collection, rkey: address.rkey, cid, error };
}

/** Keys of the tree have a character per byte. */
const asText = (bytes: string): string => Buffer.from(bytes, 'latin1').toString();
