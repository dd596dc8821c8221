import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encode } from '@atproto/lex-cbor';
import { MemoryBlockstore, MST } from '@atproto/repo';
import type { LexValue } from '@atproto/lex-data';
import { RecordUnreadableError } from '../../../lib/errors/record-unreadable.error.js';
import { RepositoryUnreadableError } from '../../../lib/errors/repository-unreadable.error.js';
import type { RepositoryRecord } from '../../../lib/pds/reading/reading.js';
import type { RepositoryReader } from '../../../lib/pds/reading/repository.reader.js';
import { car, HandMadePds } from './hand-made-pds.js';
import { HandMadeRepository, SigningKey, varint } from './hand-made-repository.js';

const GET_REPO = 'com.atproto.sync.getRepo';
const GET_RECORD = 'com.atproto.sync.getRecord';
const NOTE = 'com.example.note';

const note = (text: string): Uint8Array => encode({ $type: NOTE, text });
const notes = (count: number, text = 'a note'): Map<string, Uint8Array> =>
  new Map(
    Array.from({ length: count }, (_, index) => [
      `${NOTE}/${String(index).padStart(6, '0')}`,
      note(`${text} ${index}`),
    ]),
  );

let pds: HandMadePds;
let directory: string;
beforeAll(async () => {
  pds = await HandMadePds.start();
  directory = await mkdtemp(join(tmpdir(), 'parity-reading-'));
});
afterEach(async () => {
  const left = [...(await readdir(directory)), ...(await openTemporaryFiles())];
  if (left.length > 0) throw new Error(`A reading has left ${left.join(', ')}`);
});
afterAll(async () => {
  await pds[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const reader = (limits: { readonly stallMs?: number; readonly downloadMs?: number } = {}): RepositoryReader =>
  pds.reader({ temporaryDirectory: directory, maxBytes: 50_000_000, ...limits });

/** Files of readings that this process holds open, whose names are removed already. */
async function openTemporaryFiles(): Promise<string[]> {
  const files = await readdir('/proc/self/fd').catch(() => []);
  const paths = await Promise.all(files.map((file) => readlink(`/proc/self/fd/${file}`).catch(() => '')));
  return paths.filter((path) => path.startsWith(directory));
}

async function readAll(
  options: { collections?: string[] | null; signal?: AbortSignal } = {},
): Promise<RepositoryRecord[]> {
  const reading = await reader().repository(pds.did, { collections: null, ...options });
  if (reading.status !== 'active') throw new Error(reading.status);
  const records: RepositoryRecord[] = [];
  for await (const record of reading.records) records.push(record);
  return records;
}

const repositoryOf = (records: ReadonlyMap<string, Uint8Array>): HandMadeRepository =>
  new HandMadeRepository(pds.did, pds.key, records);

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no error',
    (error: unknown) => error,
  );

const reasonFor = async (work: Promise<unknown>): Promise<unknown> => {
  const error = await failure(work);
  return error instanceof RepositoryUnreadableError ? error.reason : error;
};

describe('The repositories of these tests', () => {
  it('have the tree that @atproto/repo makes', async () => {
    const records = notes(500);
    const repository = repositoryOf(records);
    let tree = await MST.create(new MemoryBlockstore());
    const cids = new Map(repository.blocks.map(({ cid, bytes }) => [bytes, cid]));
    for (const [path, bytes] of records) tree = await tree.add(path, cids.get(bytes)!);
    const root = (await tree.getPointer()).toString();
    expect(repository.blocks.map(({ cid }) => cid.toString())).toContain(root);
    pds.answers[GET_REPO] = car(repository.car());
    expect((await readAll()).map(({ rkey }) => `${NOTE}/${rkey}`)).toEqual([...records.keys()]);
  });
});

describe('A repository that proves nothing', () => {
  const cases: Record<string, [string, () => Uint8Array]> = {
    'an empty answer': ['not-a-car', () => new Uint8Array()],
    'HTML instead of a CAR': ['not-a-car', () => Buffer.from(`<!doctype html><p>${'x'.repeat(300)}</p>`)],
    'JSON instead of a CAR': ['not-a-car', () => Buffer.from('{"blocks":[]}')],
    'an absurd size of a block': [
      'not-a-car',
      () => Buffer.concat([repositoryOf(notes(3)).car(), Buffer.alloc(9, 0xff)]),
    ],
    'a block that is too small for a CID': [
      'not-a-car',
      () => Buffer.concat([repositoryOf(notes(3)).car(), Buffer.from([5, 1, 2, 3, 4, 5])]),
    ],
    'an end in the middle of a block': ['cut-off', () => repositoryOf(notes(300)).car().subarray(0, -20)],
    'an end in the size of a block': [
      'cut-off',
      () => Buffer.concat([repositoryOf(notes(3)).car(), Buffer.from([0x80])]),
    ],
    'a block whose bytes do not match its CID': [
      'wrong-hash',
      () => {
        const bytes = repositoryOf(notes(300)).car();
        bytes.fill(0x61, bytes.indexOf('a note 7'), bytes.indexOf('a note 7') + 3);
        return bytes;
      },
    ],
    'a commit that another key has signed': [
      'wrong-signature',
      () => new HandMadeRepository(pds.did, new SigningKey(), notes(3)).car(),
    ],
    'a commit of another account': [
      'invalid-commit',
      () => new HandMadeRepository('did:plc:zzzzzzzzzzzzzzzzzzzzzzzz', pds.key, notes(3)).car(),
    ],
    'a commit with a rev that is no TID': [
      'invalid-commit',
      () => new HandMadeRepository(pds.did, pds.key, notes(3), { rev: '1' }).car(),
    ],
    'a record in the place of the commit': [
      'invalid-commit',
      () => {
        const repository = repositoryOf(notes(3));
        repository.commit = repository.blocks[0]!.cid;
        return repository.car();
      },
    ],
    'a commit of 10,000 levels': [
      'invalid-commit',
      () => {
        const repository = repositoryOf(notes(3));
        repository.commit = repository.add(nested(9_000));
        return repository.car();
      },
    ],
    'a tree without one of its nodes': [
      'missing-block',
      () => {
        const repository = repositoryOf(notes(300));
        const node = repository.blocks.findIndex(({ bytes }) => bytes[0] === 0xa2 && bytes[2] === 0x65);
        return repository.car(repository.blocks.toSpliced(node, 1));
      },
    ],
    'a tree without one of its records': [
      'missing-block',
      () => {
        const repository = repositoryOf(notes(300));
        return repository.car(repository.blocks.toSpliced(200, 1));
      },
    ],
    'a tree whose root is a record': [
      'invalid-tree',
      () => {
        const repository = repositoryOf(notes(1));
        return spoiled(repository, repository.blocks[0]!.cid);
      },
    ],
    'a tree whose keys are out of order': [
      'invalid-tree',
      () => {
        const repository = repositoryOf(notes(1));
        const v = repository.blocks[0]!.cid;
        const entry = (k: string): LexValue => ({ p: 0, k: Buffer.from(`${NOTE}/${k}`), v, t: null });
        return spoiled(repository, repository.add(encode({ l: null, e: [entry('b'), entry('a')] })));
      },
    ],
    'a subtree whose keys are out of order': [
      'invalid-tree',
      () => {
        const repository = repositoryOf(notes(1));
        const v = repository.blocks[0]!.cid;
        const entry = (k: string): LexValue => ({ p: 0, k: Buffer.from(`${NOTE}/${k}`), v, t: null });
        const l = repository.add(encode({ l: null, e: [entry('c')] }));
        return spoiled(repository, repository.add(encode({ l, e: [entry('b')] })));
      },
    ],
    'a tree that is deeper than any': [
      'invalid-tree',
      () => {
        const repository = repositoryOf(notes(1));
        let l = repository.add(encode({ l: null, e: [] }));
        for (let level = 0; level < 1_000; level++) l = repository.add(encode({ l, e: [] }));
        return spoiled(repository, l);
      },
    ],
  };

  /** The account signs a tree that is none. */
  const spoiled = (repository: HandMadeRepository, data: HandMadeRepository['commit']): Uint8Array => {
    const other = new HandMadeRepository(pds.did, pds.key, new Map(), { data });
    return other.car([...repository.blocks, ...other.blocks]);
  };

  it.each(Object.keys(cases))('is told by its reason: %s', async (name) => {
    const [reason, bytes] = cases[name]!;
    pds.answers[GET_REPO] = car(bytes());
    expect(await reasonFor(readAll())).toBe(reason);
  });

  it('is the same for one record', async () => {
    const repository = repositoryOf(notes(3));
    const record = (): Promise<unknown> =>
      reader().record({ did: pds.did, collection: NOTE, rkey: '000001' });
    pds.answers[GET_RECORD] = car(repository.car().subarray(0, -9));
    expect(await reasonFor(record())).toBe('cut-off');
    pds.answers[GET_RECORD] = car(repository.car(repository.blocks.toSpliced(1, 1)));
    expect(await reasonFor(record())).toBe('missing-block');
    pds.answers[GET_RECORD] = car(new HandMadeRepository(pds.did, new SigningKey(), notes(3)).car());
    expect(await reasonFor(record())).toBe('wrong-signature');
    pds.answers[GET_RECORD] = car(repository.car());
    expect(await record()).toMatchObject({ status: 'active', record: { text: 'a note 1' } });
  });
});

/** A record with a map in a map in a map. */
const nested = (levels: number): Buffer =>
  Buffer.concat([Buffer.alloc(2 * levels).fill(Buffer.from([0xa1, 0x60])), Buffer.from([0xa0])]);

describe('A record that cannot be read', () => {
  it.each([
    ['nesting of 10,000 levels', 'depth', nested(10_000)],
    ['nesting of 1,000,000 levels', 'depth', nested(1_000_000)],
    ['a record of 5 MB', 'size', note('x'.repeat(5_000_000))],
    ['an array in the place of a record', 'content', encode([1])],
    [
      'a number with a fraction',
      'content',
      Buffer.from([0xa1, 0x61, 0x61, 0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]),
    ],
    ['an integer of 64 bits', 'content', Buffer.from([0xa1, 0x61, 0x61, 0x1b, 0x7f, 0xff, 0, 0, 0, 0, 0, 0])],
    ['a string that is no UTF-8', 'content', Buffer.from([0xa1, 0x61, 0x61, 0x62, 0xff, 0xff])],
    ['bytes behind the record', 'content', Buffer.from([0xa0, 0xa0])],
    ['an end in the middle', 'content', Buffer.from([0xa1, 0x61, 0x61])],
    ['a length beyond the end', 'content', Buffer.from([0xbb, 0, 0, 0, 1, 0, 0, 0, 0])],
    [
      'a property __proto__',
      'content',
      Buffer.concat([Buffer.from([0xa1, 0x69]), Buffer.from('__proto__'), Buffer.from([0xa0])]),
    ],
    ['an empty block', 'content', Buffer.alloc(0)],
  ])('is an error entry between its neighbours: %s', async (_name, reason, bytes) => {
    const repository = repositoryOf(notes(3).set(`${NOTE}/000001`, bytes));
    pds.answers[GET_REPO] = car(repository.car());
    const [first, second, third] = await readAll();
    expect(first).toMatchObject({ rkey: '000000', record: { text: 'a note 0' } });
    expect(third).toMatchObject({ rkey: '000002', record: { text: 'a note 2' } });
    const { cid } = repository.blocks.find((block) => block.bytes === bytes)!;
    expect(second).toMatchObject({
      collection: NOTE,
      rkey: '000001',
      cid: cid.toString(),
      error: { reason },
    });
    expect((second as { error: unknown }).error).toBeInstanceOf(RecordUnreadableError);
  });

  it.each(['no-slash', `${NOTE}/a/b`, `${NOTE}/`, 'note/a', `${NOTE}/${'k'.repeat(513)}`, `${NOTE}/a b`])(
    'has a key that is none: %s',
    async (key) => {
      pds.answers[GET_REPO] = car(repositoryOf(notes(3).set(key, note('unreachable'))).car());
      const records = await readAll();
      expect(records.filter((record) => 'record' in record)).toHaveLength(3);
      const unreadable = records.find((record) => 'error' in record);
      expect([unreadable?.collection, unreadable?.rkey].filter(Boolean).join('/')).toBe(
        key.replace(/\/$/, ''),
      );
      expect(unreadable).toMatchObject({ error: { reason: 'key' } });
    },
  );

  it('is told as itself by a reading of this record alone', async () => {
    pds.answers[GET_RECORD] = car(repositoryOf(notes(3).set(`${NOTE}/000001`, nested(10_000))).car());
    const reading = await reader().record({ did: pds.did, collection: NOTE, rkey: '000001' });
    expect(reading).toMatchObject({ status: 'active', cid: expect.any(String), error: { reason: 'depth' } });
  });
});

describe('A repository that is unusual', () => {
  it('may have a record of 1 MB, a record key of 512 characters, and 256 levels', async () => {
    const records = new Map([
      [`${NOTE}/${'k'.repeat(512)}`, note('long key')],
      [`${NOTE}/large`, note('x'.repeat(1_000_000))],
      [`${NOTE}/nested`, nested(255)],
    ]);
    pds.answers[GET_REPO] = car(repositoryOf(records).car());
    const read = await readAll();
    expect(read.filter((record) => 'error' in record)).toEqual([]);
    expect(read.map(({ rkey }) => rkey.length)).toEqual([512, 5, 6]);
  });

  it('may have its blocks in any order, repeated, and others between them', async () => {
    const repository = repositoryOf(notes(300));
    const blocks = [
      ...repository.blocks.toReversed(),
      ...repository.blocks,
      ...repositoryOf(notes(20, 'other')).blocks,
    ];
    pds.answers[GET_REPO] = car(repository.car(blocks));
    expect(await readAll()).toHaveLength(300);
  });

  it('may come byte by byte', async () => {
    const bytes = repositoryOf(notes(10)).car();
    pds.answers[GET_REPO] = async (response) => {
      response.writeHead(200);
      for (const byte of bytes) {
        response.write(Buffer.from([byte]));
        await new Promise(setImmediate);
      }
      response.end();
    };
    expect(await readAll()).toHaveLength(10);
  });

  it('may be empty', async () => {
    pds.answers[GET_REPO] = car(repositoryOf(new Map()).car());
    expect(await readAll()).toEqual([]);
  });

  it('is read for the wanted collections only, without the nodes that cannot have any', async () => {
    const records = new Map<string, Uint8Array>();
    for (const nsid of ['com.example.aaa', NOTE, 'com.example.noted', 'com.example.zzz']) {
      for (let index = 0; index < 200; index++)
        records.set(`${nsid}/${index + 100}`, note(`${nsid} ${index}`));
    }
    const repository = repositoryOf(records);
    const isOther = (bytes: Uint8Array): boolean =>
      !Buffer.from(bytes).includes(`${NOTE}/`) && Buffer.from(bytes).includes('com.example.zzz');
    // Nodes and records of the last collection are not even sent.
    pds.answers[GET_REPO] = car(repository.car(repository.blocks.filter(({ bytes }) => !isOther(bytes))));
    expect(
      (await readAll({ collections: [NOTE, 'com.example.none'] })).map(({ rkey }) => Number(rkey)),
    ).toEqual(Array.from({ length: 200 }, (_, index) => index + 100));
    expect(await readAll({ collections: [] })).toEqual([]);
  });

  it('may have 50,000 records, which are read from a file', async () => {
    const records = notes(50_000, 'x'.repeat(200));
    pds.answers[GET_REPO] = car(repositoryOf(records).car());
    const read = await readAll();
    expect(read).toHaveLength(50_000);
    expect(read[49_999]).toMatchObject({ rkey: '049999', record: { text: `${'x'.repeat(200)} 49999` } });
  });
});

describe('The temporary file of a reading', () => {
  let bytes: Uint8Array | undefined;
  const large = (): Uint8Array => (bytes ??= repositoryOf(notes(10_000, 'x'.repeat(600))).car());

  it('is closed when the consumer stops early', async () => {
    pds.answers[GET_REPO] = car(large());
    const reading = await reader().repository(pds.did, { collections: null });
    if (reading.status !== 'active') throw new Error(reading.status);
    expect(await openTemporaryFiles()).toHaveLength(process.platform === 'linux' ? 1 : 0);
    for await (const { rkey } of reading.records) if (rkey === '000005') break;
    expect(await openTemporaryFiles()).toEqual([]);
  });

  it('is closed when the reading is disposed of without an iteration', async () => {
    pds.answers[GET_REPO] = car(large());
    await using reading = await reader().repository(pds.did, { collections: null });
    expect(reading.status).toBe('active');
  });

  it('is closed when the signal ends the iteration', async () => {
    pds.answers[GET_REPO] = car(large());
    const controller = new AbortController();
    const reading = await reader().repository(pds.did, { collections: null, signal: controller.signal });
    if (reading.status !== 'active') throw new Error(reading.status);
    const reason = new Error('enough');
    const iterated = (async () => {
      for await (const { rkey } of reading.records) if (rkey === '000005') controller.abort(reason);
    })();
    expect(await failure(iterated)).toBe(reason);
    expect(await openTemporaryFiles()).toEqual([]);
  });
});

describe('A download', () => {
  it('is given up beyond the largest size, announced or not', async () => {
    let sent = 0;
    pds.answers[GET_REPO] = async (response) => {
      response.write(repositoryOf(notes(3)).car());
      const block = repositoryOf(new Map([[`${NOTE}/x`, note('x'.repeat(900_000))]])).blocks[0]!;
      const entry = Buffer.concat([
        varint(block.cid.bytes.length + block.bytes.length),
        block.cid.bytes,
        block.bytes,
      ]);
      while (!response.destroyed && sent < 1_000) {
        sent += 1;
        if (!response.write(entry))
          await new Promise((done) => response.once('drain', done).once('close', done));
      }
    };
    expect(await reasonFor(readAll())).toBe('too-large');
    expect(sent).toBeLessThan(200);
    pds.answers[GET_REPO] = (response) => {
      response.writeHead(200, { 'content-length': '60000000' });
      response.write('x');
    };
    expect(await reasonFor(readAll())).toBe('too-large');
  });

  it('that stands still ends by its time limit', async () => {
    const bytes = repositoryOf(notes(300)).car();
    const stalled = (): Promise<unknown> =>
      failure(reader({ stallMs: 500 }).repository(pds.did, { collections: null }));
    pds.answers[GET_REPO] = (response) => void response.write(bytes.subarray(0, 1_000));
    expect(await stalled()).toMatchObject({
      code: 'PDS_UNAVAILABLE',
      message: expect.stringContaining('in time'),
    });
    pds.answers[GET_REPO] = () => undefined;
    expect(await stalled()).toMatchObject({ code: 'PDS_UNAVAILABLE' });
  });

  it('that trickles ends by its time limit, too', async () => {
    pds.answers[GET_REPO] = async (response) => {
      for (const byte of repositoryOf(notes(300)).car()) {
        if (response.destroyed) return;
        response.write(Buffer.from([byte]));
        await sleep(50);
      }
    };
    const reading = pds
      .reader({ stallMs: 1_000, downloadMs: 1_000 })
      .repository(pds.did, { collections: null });
    expect(await failure(reading)).toMatchObject({ code: 'PDS_UNAVAILABLE' });
  });

  it('whose connection breaks is told as an outage', async () => {
    const bytes = repositoryOf(notes(300)).car();
    pds.answers[GET_REPO] = (response) =>
      void response.write(bytes.subarray(0, 1_000), () => response.destroy());
    expect(await failure(readAll())).toMatchObject({ code: 'PDS_UNAVAILABLE' });
  });

  it('ends with the reason of its signal', async () => {
    const controller = new AbortController();
    pds.answers[GET_REPO] = (response) => {
      response.write(repositoryOf(notes(300)).car().subarray(0, 1_000));
      setTimeout(() => controller.abort(new Error('enough')), 50);
    };
    expect(await failure(readAll({ signal: controller.signal }))).toBe(controller.signal.reason);
    expect(await failure(readAll({ signal: controller.signal }))).toBe(controller.signal.reason);
  });

  it('tells its bytes', async () => {
    const bytes = repositoryOf(notes(3_000)).car();
    pds.answers[GET_REPO] = car(bytes);
    const told: number[] = [];
    await using reading = await reader().repository(pds.did, {
      collections: null,
      onBytes: (size) => told.push(size),
    });
    expect(reading.status).toBe('active');
    expect(told.at(-1)).toBe(bytes.length);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
  });
});
