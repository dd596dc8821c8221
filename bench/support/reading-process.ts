/** A process that reads one repository, and watches its own memory. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MemoryBlockstore, readCarWithRoot, Repo } from '@atproto/repo';

export interface ReadingInput {
  readonly how: 'ours' | 'bare';
  /** Of the PDS, and of the directory. */
  readonly url: string;
  readonly did: string;
  readonly records: number;
}

export interface ReadingResult {
  readonly milliseconds: number;
  /** Resident, in MB: before, and at most. */
  readonly idle: number;
  readonly most: number;
}

// No export of the package: the import uses it.
const built = (file: string): Promise<unknown> =>
  import(new URL(`../../../dist/pds/reading/${file}.js`, import.meta.url).href);

interface Reader {
  repository(
    did: string,
    options: { readonly collections: null },
  ): Promise<{ readonly records: AsyncIterable<{ readonly cid: string; readonly record?: object }> }>;
}

process.once('message', (input: ReadingInput) => void run(input));

async function run({ how, url, did, records }: ReadingInput): Promise<void> {
  const read = how === 'ours' ? await ours(url, did) : bare(url, did);
  global.gc?.();
  await sleep(500);
  const idle = process.memoryUsage.rss();
  let most = idle;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 10);
  const start = performance.now();
  const count = await read();
  const milliseconds = performance.now() - start;
  clearInterval(watch);
  if (count !== records) throw new Error(`${count} of ${records} records were read`);
  process.send?.({ milliseconds, idle: idle / 1e6, most: most / 1e6 } satisfies ReadingResult);
  process.disconnect();
}

async function ours(plcDirectoryUrl: string, did: string): Promise<() => Promise<number>> {
  const { AccountDirectory } = (await built('account.directory')) as {
    readonly AccountDirectory: new (options: object) => object;
  };
  const { RepositoryReader } = (await built('repository.reader')) as {
    readonly RepositoryReader: new (directory: object, options: object) => Reader;
  };
  const options = { plcDirectoryUrl, allowHttp: true };
  const reader = new RepositoryReader(new AccountDirectory(options), options);
  return async () => {
    const { records } = await reader.repository(did, { collections: null });
    const cids = new Comparison();
    for await (const { cid, record } of records) if (record) cids.compare(cid);
    return cids.differ;
  };
}

function bare(url: string, did: string): () => Promise<number> {
  return async () => {
    const response = await fetch(`${url}/xrpc/com.atproto.sync.getRepo?did=${did}`);
    const { root, blocks } = await readCarWithRoot(new Uint8Array(await response.arrayBuffer()));
    const repository = await Repo.load(new MemoryBlockstore(blocks), root);
    const cids = new Comparison();
    for await (const { cid } of repository.walkRecords()) cids.compare(cid.toString());
    return cids.differ;
  };
}

/** Compares each CID with another one, as an audit does with what the database has. */
class Comparison {
  differ = 0;
  private last = '';

  compare(cid: string): void {
    if (cid !== this.last) this.differ += 1;
    this.last = cid;
  }
}
