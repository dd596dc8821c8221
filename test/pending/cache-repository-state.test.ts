import { Keyv } from '@keyv/redis';
import { CacheRepositoryStateStore } from '../../lib/pending/cache/cache-repository-state.store.js';
import { UNKNOWN_REPOSITORY, type RepositoryState } from '../../lib/pds/repository-state.store.js';
import { aNamespace, RedisProxy, redisKeyv } from '../support/redis.js';
import { describeIf } from '../support/servers.js';

const ALICE = 'did:plc:alice';
const uri = `at://${ALICE}/com.example.post/a`;
const calm: RepositoryState = { ...UNKNOWN_REPOSITORY, head: 'bafyhead' };
const busy: RepositoryState = {
  ...calm,
  inFlight: { head: 'bafyhead', until: 0, cids: { [uri]: 'bafycid' } },
};

const aState = (cache: Keyv, warnings: string[] = [], patience = 30_000) =>
  new CacheRepositoryStateStore({ cache, warn: (line) => void warnings.push(line), patience });

describeIf('redis')('what is remembered of repositories in Redis', () => {
  let proxy: RedisProxy;
  let keyv: Keyv;
  beforeEach(async () => {
    proxy = await RedisProxy.start();
    keyv = redisKeyv(aNamespace(), proxy.url);
  });
  afterEach(async () => {
    proxy.mend();
    await keyv.clear();
    await keyv.disconnect();
    await proxy.stop();
  });

  it('is read by the next process', async () => {
    const former = aState(keyv);
    expect(await former.load(ALICE)).toBeNull();
    await former.sending(ALICE, busy);
    expect(await aState(keyv).load(ALICE)).toEqual(busy);
    await former.settled(ALICE, calm);
    expect(await aState(keyv).load(ALICE)).toEqual(calm);
  });

  it('expires only while no request is in doubt', async () => {
    const state = aState(keyv);
    await state.sending(ALICE, busy);
    const expires = async () => (await keyv.getRaw(`parity:repository:${ALICE}`))?.expires;
    expect(await expires()).toBeUndefined();
    await state.settled(ALICE, { ...calm, unsettled: { [uri]: [null] } });
    expect(await expires()).toBeUndefined();
    await state.settled(ALICE, calm);
    expect(await expires()).toBeGreaterThan(Date.now());
  });

  it('is remembered by the process only, while the cache does not answer', async () => {
    const warnings: string[] = [];
    await aState(keyv).settled(ALICE, calm);
    const state = aState(keyv, warnings, 1_000);
    proxy.silence();
    await state.sending(ALICE, busy);
    expect(await state.load(ALICE)).toEqual(busy);
    expect(await state.load('did:plc:bob')).toBeNull();
    expect(warnings).toEqual([
      expect.stringContaining(`repository of ${ALICE} is remembered by this process only`),
      expect.stringContaining('did:plc:bob'),
    ]);
  });
});

it.each([
  ['another format', { format: 2, state: busy }],
  ['no state', { format: 1, state: { head: 5 } }],
  ['a text', 'nonsense'],
])('a state that cannot be read counts as unknown: %s', async (_what, value) => {
  const keyv = new Keyv();
  await keyv.set(`parity:repository:${ALICE}`, value);
  expect(await aState(keyv).load(ALICE)).toBeNull();
});
