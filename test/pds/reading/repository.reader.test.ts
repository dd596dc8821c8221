import type { AtpAgent } from '@atproto/api';
import type { Account, LocalNetwork } from '../../../lib/testing/network/local-network.js';
import { AccountDirectory } from '../../../lib/pds/reading/account.directory.js';
import { RepositoryReader } from '../../../lib/pds/reading/repository.reader.js';
import type { RepositoryRecord } from '../../../lib/pds/reading/reading.js';
import { sharedNetwork } from '../../support/shared-network.js';

const NOTE = 'com.example.note';
const TAG = 'com.example.tag';

let network: LocalNetwork;
let reader: RepositoryReader;
beforeAll(async () => {
  network = await sharedNetwork();
  const directory = new AccountDirectory({ plcDirectoryUrl: network.plcUrl, allowHttp: true });
  reader = new RepositoryReader(directory, { allowHttp: true });
});

async function account(): Promise<Account & { readonly agent: AtpAgent }> {
  const created = await network.createAccount({ handle: 'reading.test' });
  return { ...created, agent: await network.agent(created) };
}

async function write(
  { did, agent }: { readonly did: string; readonly agent: AtpAgent },
  collection: string,
  values: Readonly<Record<string, Record<string, unknown>>>,
): Promise<void> {
  const entries = Object.entries(values);
  for (let start = 0; start < entries.length; start += 200) {
    await agent.com.atproto.repo.applyWrites({
      repo: did,
      writes: entries.slice(start, start + 200).map(([rkey, value]) => ({
        $type: 'com.atproto.repo.applyWrites#create',
        collection,
        rkey,
        value: { $type: collection, ...value },
      })),
    });
  }
}

async function all(iterable: AsyncIterable<RepositoryRecord>): Promise<RepositoryRecord[]> {
  const read: RepositoryRecord[] = [];
  for await (const record of iterable) read.push(record);
  return read;
}

async function records(
  did: string,
  collections: readonly string[] | null = null,
): Promise<RepositoryRecord[]> {
  const reading = await reader.repository(did, { collections });
  if (reading.status !== 'active') throw new Error(reading.status);
  return all(reading.records);
}

describe('RepositoryReader at the reference PDS', () => {
  it('reads 5,000 records in the order of their keys, as the PDS lists them', async () => {
    const alice = await account();
    await write(alice, TAG, { z: { name: 'z' }, a: { name: 'a' } });
    await write(
      alice,
      NOTE,
      Object.fromEntries(
        Array.from({ length: 5_000 }, (_, index) => [`n${index + 10_000}`, { text: `${index}` }]),
      ),
    );
    const reading = await reader.repository(alice.did, { collections: null });
    if (reading.status !== 'active') throw new Error(reading.status);
    expect(reading.isWhole).toBe(true);
    expect(reading.rev).toBe(
      (await alice.agent.com.atproto.sync.getLatestCommit({ did: alice.did })).data.rev,
    );
    const read = await all(reading.records);
    const keys = read.map(({ collection, rkey }) => `${collection}/${rkey}`);
    expect(keys).toHaveLength(5_002);
    expect(keys).toEqual(keys.toSorted());
    const listed = await network.listRecords(alice.did, NOTE);
    const asListed = read
      .filter(({ collection }) => collection === NOTE)
      .map((record) => ({
        uri: `at://${alice.did}/${NOTE}/${record.rkey}`,
        cid: record.cid,
        value: 'record' in record ? record.record : record.error,
      }));
    const byUri = (a: { readonly uri: string }, b: { readonly uri: string }): number =>
      a.uri < b.uri ? -1 : 1;
    expect(asListed.toSorted(byUri)).toEqual(listed.toSorted(byUri));
  }, 240_000);

  it('reads bytes, links and blobs in their JSON form, as the PDS lists them', async () => {
    const alice = await account();
    const { data } = await alice.agent.com.atproto.repo.uploadBlob(Buffer.from('a blob'), {
      encoding: 'text/plain',
    });
    const { cid } = (await network
      .createAccount({ handle: 'other.test' })
      .then(({ did }) => reader.latestCommit(did))) as { cid: string };
    await write(alice, NOTE, {
      every: { bytes: { $bytes: 'AQID' }, link: { $link: cid }, list: [1, null, true] },
    });
    await alice.agent.com.atproto.repo.putRecord({
      repo: alice.did,
      collection: TAG,
      rkey: 'blob',
      record: { $type: TAG, image: data.blob },
    });
    const [note, tag] = await records(alice.did);
    expect(note).toMatchObject({ record: (await network.listRecords(alice.did, NOTE))[0]!.value });
    expect(tag).toMatchObject({ record: (await network.listRecords(alice.did, TAG))[0]!.value });
    expect(await reader.record({ did: alice.did, collection: TAG, rkey: 'blob' })).toMatchObject({
      record: { image: { $type: 'blob', ref: { $link: expect.any(String) }, mimeType: 'text/plain' } },
    });
  });

  it('proves a record, and the absence of one', async () => {
    const alice = await account();
    await write(alice, NOTE, { a: { text: 'a' }, c: { text: 'c' } });
    const { rev } = (await reader.latestCommit(alice.did)) as { rev: string };
    const [listed] = await network.listRecords(alice.did, NOTE);
    expect(await reader.record({ did: alice.did, collection: NOTE, rkey: 'c' })).toEqual({
      status: 'active',
      rev,
      cid: listed!.cid,
      record: { $type: NOTE, text: 'c' },
    });
    for (const [collection, rkey] of [
      [NOTE, 'b'],
      [NOTE, 'z'],
      ['com.example.aaa', 'a'],
    ] as const) {
      expect(await reader.record({ did: alice.did, collection, rkey })).toEqual({
        status: 'active',
        rev,
        cid: null,
      });
    }
  });

  it('finds every record of a large repository, and none that is not there, one by one', async () => {
    const alice = await account();
    await write(
      alice,
      NOTE,
      Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`${index * 2}`, { index }])),
    );
    for (let index = 0; index < 40; index++) {
      const reading = await reader.record({ did: alice.did, collection: NOTE, rkey: `${index * 7}` });
      expect(reading).toMatchObject(index % 2 === 0 ? { record: { index: (index * 7) / 2 } } : { cid: null });
    }
  });

  it('tells an unchanged revision in one request', async () => {
    const alice = await account();
    await write(alice, NOTE, { a: { text: 'a' } });
    const first = await reader.latestCommit(alice.did);
    expect(first).toEqual({ status: 'active', cid: expect.any(String), rev: expect.any(String) });
    expect(await reader.latestCommit(alice.did)).toEqual(first);
    expect(await reader.status(alice.did)).toMatchObject({
      status: 'active',
      rev: (first as { rev: string }).rev,
    });
    await write(alice, NOTE, { b: { text: 'b' } });
    const second = await reader.latestCommit(alice.did);
    expect((second as { rev: string }).rev > (first as { rev: string }).rev).toBe(true);
  });

  it('reads a repository without records', async () => {
    const alice = await account();
    expect(await records(alice.did)).toEqual([]);
    expect(await reader.record({ did: alice.did, collection: NOTE, rkey: 'a' })).toMatchObject({ cid: null });
  });

  it.each([
    ['deactivated', (alice: Account) => network.deactivate(alice)],
    ['takendown', (alice: Account) => network.takedown(alice.did)],
    ['deleted', (alice: Account) => network.deleteAccount(alice.did)],
  ] as const)('tells that an account is %s, as its state', async (status, end) => {
    const alice = await account();
    await write(alice, NOTE, { a: { text: 'a' } });
    await reader.latestCommit(alice.did);
    await end(alice);
    expect(await reader.status(alice.did)).toEqual({ status, rev: null });
    expect(await reader.latestCommit(alice.did)).toEqual({ status });
    expect(await reader.record({ did: alice.did, collection: NOTE, rkey: 'a' })).toEqual({ status });
    await using reading = await reader.repository(alice.did, { collections: null });
    expect(reading).toMatchObject({ status });
  });

  it('takes the keys and the PDS from the DID document', async () => {
    const alice = await account();
    const directory = new AccountDirectory({ plcDirectoryUrl: network.plcUrl, allowHttp: true });
    expect(await directory.account(alice.did)).toEqual({
      pds: network.pdsUrl,
      signingKey: expect.stringMatching(/^did:key:z/),
      handle: alice.handle,
    });
    const unknown = directory.account('did:plc:aaaaaaaaaaaaaaaaaaaaaaaa');
    await expect(unknown).rejects.toMatchObject({ code: 'IDENTITY', reason: 'unknown' });
  });
});
