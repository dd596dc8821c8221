import { encode } from '@atproto/lex-cbor';
import { jsonToLex, type JsonValue } from '@atproto/lex-json';
import { error, HandMadePds, json } from './hand-made-pds.js';
import { blockOf } from './hand-made-repository.js';
import type { RepositoryReading } from '../../../lib/pds/reading/reading.js';

const NOTE = 'com.example.note';
const LIST = 'com.atproto.repo.listRecords';
const LATEST = 'com.atproto.sync.getLatestCommit';
const REV = '3kzzzzzzzzz22';
const LATER = '3kzzzzzzzzz32';
const EARLIER = '3kzzzzzzzzyz2';

let pds: HandMadePds;
beforeEach(async () => {
  pds = await HandMadePds.start();
  pds.answers[LATEST] = json({ cid: 'bafy', rev: REV });
});
afterEach(() => pds[Symbol.asyncDispose]());

const listed = (rkey: string, value: unknown, cid?: string, collection = NOTE): object => ({
  uri: `at://${pds.did}/${collection}/${rkey}`,
  cid: cid ?? blockOf(encode(jsonToLex(value as JsonValue))).cid.toString(),
  value,
});

/** Pages of one record each, with the next one's number as cursor. */
function pagesOf(records: readonly object[]): void {
  pds.answers[LIST] = (response, request) => {
    const { searchParams } = new URL(request.url!, pds.url);
    const all = records.filter((record) =>
      (record as { uri: string }).uri.includes(`/${searchParams.get('collection')}/`),
    );
    const at = Number(searchParams.get('cursor') ?? 0);
    json({ records: all.slice(at, at + 1), ...(at + 1 < all.length && { cursor: String(at + 1) }) })(
      response,
      request,
    );
  };
}

async function reading(
  collections: readonly string[] | null = [NOTE],
  maxBytes = 1_000_000,
): Promise<RepositoryReading> {
  const read = await pds.reader({ maxBytes }).repository(pds.did, { collections });
  if (read.status !== 'active') throw new Error(read.status);
  return read;
}

async function recordsOf(read: RepositoryReading): Promise<unknown[]> {
  const records: unknown[] = [];
  for await (const record of read.records) records.push(record);
  return records;
}

describe('A repository of a PDS without getRepo', () => {
  it.each([
    ['501', error(501, 'MethodNotImplemented')],
    ['404', error(404, 'XRPCNotSupported')],
    ['a 404 without a word', (response) => response.writeHead(404).end()],
  ] satisfies [string, HandMadePds['answers'][string]][])(
    'is read in pages after %s, and is not whole',
    async (_name, answer) => {
      pds.answers['com.atproto.sync.getRepo'] = answer;
      pagesOf([listed('a', { $type: NOTE, n: 1 }), listed('b', { $type: NOTE, n: 2 })]);
      const read = await reading();
      expect(read).toMatchObject({ status: 'active', isWhole: false, rev: REV });
      pds.answers[LATEST] = json({ cid: 'bafy', rev: LATER });
      expect(await recordsOf(read)).toMatchObject([
        { collection: NOTE, rkey: 'a', record: { n: 1 } },
        { collection: NOTE, rkey: 'b', record: { n: 2 } },
      ]);
    },
  );

  it('is asked for its collections where all are wanted', async () => {
    pds.answers['com.atproto.repo.describeRepo'] = json({ collections: [NOTE, 'com.example.a', '!'] });
    pagesOf([listed('a', { n: 1 }), listed('b', { n: 2 }, undefined, 'com.example.a')]);
    expect(await recordsOf(await reading(null))).toMatchObject([
      { collection: 'com.example.a' },
      { collection: NOTE },
    ]);
  });

  it('has error entries for records that cannot be read, or do not match their CIDs', async () => {
    const deep = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`;
    const page = JSON.stringify({
      records: [
        listed('a', { n: 1 }),
        listed('b', { n: 2 }, blockOf(encode({ n: 3 })).cid.toString()),
        listed('c', { n: 1.5 }, 'bafy'),
        listed('d', 'deep', 'bafy'),
        listed('e', { n: 5 }),
      ],
    });
    pds.answers[LIST] = (response) => response.writeHead(200).end(page.replace('"deep"', deep));
    expect(await recordsOf(await reading())).toMatchObject([
      { rkey: 'a', record: { n: 1 } },
      { rkey: 'b', error: { reason: 'cid' } },
      { rkey: 'c', error: { reason: 'content' } },
      { rkey: 'd', error: { reason: 'depth' } },
      { rkey: 'e', record: { n: 5 } },
    ]);
  });

  it('ends where the cursor repeats, and is given up where it never ends', async () => {
    pds.answers[LIST] = json({ records: [listed('a', { n: 1 })], cursor: 'again' });
    expect(await recordsOf(await reading())).toHaveLength(2);
    let page = 0;
    pds.answers[LIST] = (response, request) =>
      json({ records: [listed('a', { n: 1 })], cursor: String(page++) })(response, request);
    await expect(reading([NOTE], 10_000).then(recordsOf)).rejects.toMatchObject({ reason: 'too-large' });
    expect(page).toBeLessThan(100);
  });

  it('is told as changed where the account was deactivated meanwhile, or went back', async () => {
    pagesOf([listed('a', { n: 1 })]);
    const first = await reading();
    pds.answers[LATEST] = error(400, 'RepoDeactivated');
    await expect(recordsOf(first)).rejects.toMatchObject({ reason: 'changed' });
    pds.answers[LATEST] = json({ cid: 'bafy', rev: REV });
    const second = await reading();
    pds.answers[LATEST] = json({ cid: 'bafy', rev: EARLIER });
    await expect(recordsOf(second)).rejects.toMatchObject({ reason: 'changed' });
  });

  it.each([
    ['nonsense', json({ records: 'none' })],
    [
      'records of another account',
      json({ records: [{ uri: `at://did:plc:other/${NOTE}/a`, cid: 'bafy', value: {} }] }),
    ],
    ['an error', error(500, 'InternalServerError')],
  ])('has no answer where a page is %s', async (_name, page) => {
    pds.answers[LIST] = page;
    await expect(reading().then(recordsOf)).rejects.toMatchObject({ code: 'PDS_UNAVAILABLE' });
  });

  it('tells the state of the account', async () => {
    pds.answers[LATEST] = error(400, 'RepoTakendown');
    await using read = await pds.reader().repository(pds.did, { collections: [NOTE] });
    expect(read).toMatchObject({ status: 'takendown' });
  });
});
