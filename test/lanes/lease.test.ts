import type { LocalNetwork } from 'nestjs-parity/testing';
import type { PendingSyncStore } from '../../lib/pending/pending-sync.store.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { sharedNetwork } from '../support/shared-network.js';
import { until } from '../support/until.js';
import { Crowd } from './crowd.js';
import { partsOf } from '../support/pending-parts.js';

const APPLY = 'com.atproto.repo.applyWrites';

let network: LocalNetwork;
let proxy: FaultProxy;
let crowd: Crowd;
let store: PendingSyncStore;
beforeAll(async () => {
  network = await sharedNetwork();
  proxy = await FaultProxy.start();
  proxy.target = network.pdsUrl;
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
});
beforeEach(async () => {
  crowd = await Crowd.gather(network, [proxy.url]);
  store = partsOf(crowd.app.module).store;
  proxy.reset();
  proxy.log.splice(0);
  // Every lease is nearly over when it is taken.
  const { enter } = store;
  store.enter = async (...asked) => {
    const entered = await enter.apply(store, asked);
    return { ...entered, lease: entered.lease && { ...entered.lease, endsAt: performance.now() + 1 } };
  };
});
afterEach(() => crowd.app.stop());

const writes = (): number => proxy.log.filter(({ nsid }) => nsid === APPLY).length;

it('a lease is extended before a request that could outlive it', async () => {
  const { extend } = store;
  const extended: number[] = [];
  store.extend = (lease, milliseconds) => {
    extended.push(writes());
    return extend.call(store, lease, milliseconds);
  };
  await crowd.save(crowd.user(0), 1);
  await until(async () => (await crowd.pending(crowd.user(0))) === 0);
  expect(extended[0]).toBe(0);
  expect(writes()).toBe(1);
});

it('a lease that another worker has taken over lets no more requests be sent, and no entry fails for it', async () => {
  let tried = 0;
  store.extend = async () => {
    tried += 1;
    return null;
  };
  const [post] = await crowd.save(crowd.user(0), 1);
  await until(() => tried > 0);
  await until(async () => (await crowd.app.parity.stats())?.leased === 0);
  expect(writes()).toBe(0);
  expect(await crowd.pending(crowd.user(0))).toBe(1);
  expect(await crowd.app.parity.statusOf(post!)).toMatchObject({ status: 'retrying' });
});
