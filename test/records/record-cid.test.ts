import { BlobRef, type AtpAgent } from '@atproto/api';
import type { Account, LocalNetwork } from 'nestjs-parity/testing';
import { prepareRecord } from '../../lib/records/record-json.js';
import { sharedNetwork } from '../support/shared-network.js';

let network: LocalNetwork;
let alice: Account;
let agent: AtpAgent;

beforeAll(async () => {
  network = await sharedNetwork();
  alice = await network.createAccount({ handle: 'alice.test' });
  agent = await network.agent(alice);
});

const collection = 'com.example.note';

/** Stores what was prepared, and gives what the PDS says of it. */
async function stored(record: Record<string, unknown>, rkey: string) {
  await agent.com.atproto.repo.putRecord({ repo: alice.did, collection, rkey, record, validate: false });
  return network.getRecord(`at://${alice.did}/${collection}/${rkey}`);
}

describe("a record's CID is the one that the PDS computes", () => {
  it.each<[string, Record<string, unknown>]>([
    ['empty', {}],
    ['text', { text: 'Grüße 🦋 \u0000 "quoted" \\ \n', empty: '' }],
    ['nested', { a: { b: { c: [[], {}, [{ d: null }]] } }, z: false }],
    ['integers', { max: Number.MAX_SAFE_INTEGER, min: Number.MIN_SAFE_INTEGER, zero: -0, one: 1.0 }],
    ['dates', { createdAt: new Date('2026-01-02T03:04:05.678Z') }],
    ['undefined', { a: undefined, b: [{ c: undefined }] }],
    ['bytes', { none: new Uint8Array(), some: Buffer.from([0, 1, 254, 255]) }],
    ['key order', { zz: 1, a: 2, aaa: 3, Z: 4, ä: 5 }],
    ['typed', { embed: { $type: 'com.example.embed', list: [{ $type: 'com.example.item', n: 1 }] } }],
  ])('%s', async (name, value) => {
    const { record, cid } = await prepareRecord(value, collection);
    expect(await stored(record, name.replace(' ', '-'))).toMatchObject({ cid, value: record });
  });

  it('with a link to another record, and with blobs as a BlobRef and as JSON', async () => {
    const { data } = await agent.com.atproto.repo.uploadBlob(Buffer.from('an image'), {
      encoding: 'image/png',
    });
    expect(data.blob).toBeInstanceOf(BlobRef);
    const { cid: head } = (await network.commits(alice.did)).at(-1)!;
    const json = data.blob.toJSON() as object;
    const byInstance = await prepareRecord({ blobs: [data.blob], link: { $link: head } }, collection);
    const byJson = await prepareRecord({ blobs: [json], link: { $link: head } }, collection);
    expect(byInstance).toEqual(byJson);
    expect((await stored(byInstance.record, 'blobs'))?.cid).toBe(byInstance.cid);
  });
});
