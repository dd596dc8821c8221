import { PendingSyncRetried, RecordPublished } from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';
import { Post } from '../support/entities/blog.js';

import {
  answer,
  dropResponse,
  type Exchange,
  FaultProxy,
  resetBefore,
  isFence,
  isWrite,
} from '../support/fault-proxy.js';
import { sharedNetwork } from '../support/shared-network.js';
import { until } from '../support/until.js';
import { Crowd } from './crowd.js';

const NSID = 'app.bsky.feed.post';
const APPLY = 'com.atproto.repo.applyWrites';

let network: LocalNetwork;
let proxy: FaultProxy;
beforeAll(async () => {
  network = await sharedNetwork();
  proxy = await FaultProxy.start();
  proxy.target = network.pdsUrl;
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
});
beforeEach(() => proxy.reset());

describe('the write points of an account', () => {
  it('are respected by a backfill, which leaves a part of them, and waits without a failed attempt', async () => {
    const crowd = await Crowd.gather(network, [network.pdsUrl], {
      pds: { writeLimits: [{ points: 60, seconds: 3_600 }], backfillShare: 0.5 },
    });
    const user = crowd.user(0);
    await crowd.insertUnseen(user, 30);
    await crowd.app.parity.reconcile(Post);
    await until(async () => (await crowd.pending(user)) === 20);
    // The points that the backfill has left are there for live changes.
    await crowd.save(user, 10, 'live');
    await until(async () => (await network.listRecords(user.did, NSID)).length === 20);
    expect(await crowd.pending(user)).toBe(20);
    const [waiting] = await crowd.save(user, 1, 'too much');
    await until(async () => (await crowd.app.parity.statusOf(waiting!)).status === 'retrying');
    expect(crowd.app.taken(PendingSyncRetried).filter(({ success }) => !success)).toEqual([]);
    expect(await network.listRecords(user.did, NSID)).toHaveLength(20);
    await crowd.app.stop();
  });

  it('come back with time, and the rest is then published automatically', async () => {
    const crowd = await Crowd.gather(network, [network.pdsUrl], {
      pds: { writeLimits: [{ points: 30, seconds: 1 }], timeoutMs: 10_000 },
    });
    const user = crowd.user(0);
    await crowd.insertUnseen(user, 20);
    await crowd.app.parity.reconcile(Post);
    await until(async () => (await crowd.pending(user)) === 0, 50_000);
    const [, ...commits] = await network.commits(user.did);
    expect(commits.map(({ ops }) => ops.length)).toEqual([8, 8, 4]);
    await crowd.app.stop();
  });

  it('do not delay other accounts when one account has none left', async () => {
    const crowd = await Crowd.gather(network, [network.pdsUrl, network.pdsUrl], {
      pds: { writeLimits: [{ points: 9, seconds: 3_600 }] },
    });
    await crowd.save(crowd.user(0), 10);
    await until(async () => (await crowd.pending(crowd.user(0))) === 7);
    await crowd.save(crowd.user(1), 2);
    await until(async () => (await crowd.pending(crowd.user(1))) === 0);
    expect(await crowd.pending(crowd.user(0))).toBe(7);
    await crowd.app.stop();
  });
});

describe('a PDS host', () => {
  it('that is down is asked by one account at a time, and delays no other host', async () => {
    const crowd = await Crowd.gather(network, [...Array<string>(8).fill(proxy.url), network.pdsUrl]);
    const down = crowd.users.slice(0, 8);
    proxy.fault(APPLY, answer(502, '<html>'), Infinity);
    proxy.log.splice(0);
    crowd.sessions.close();
    for (const user of down) await crowd.save(user, 1);
    await until(() => crowd.sessions.waiting.size === 8);
    crowd.sessions.open();
    const stats = crowd.app.parity;
    await until(() => proxy.log.filter(({ nsid }) => nsid === APPLY).length >= 8);
    await until(async () => (await stats.stats())?.leased === 0);
    const asked = proxy.log.length;
    for (const user of down) await crowd.save(user, 1, 'more');
    await crowd.save(crowd.user(8), 1);
    await until(async () => (await crowd.pending(crowd.user(8))) === 0);
    expect(proxy.calls.slice(asked)).toEqual([]);
    proxy.reset();
    await until(async () => (await stats.stats())?.pending === 0);
    for (const user of down) expect(await network.listRecords(user.did, NSID)).toHaveLength(2);
    await crowd.app.stop();
  }, 60_000);

  it('that limits requests is left alone by all its accounts for as long as it says, and inline saves are kept', async () => {
    const crowd = await Crowd.gather(network, [proxy.url, proxy.url, network.pdsUrl], {
      mode: 'inline',
    });
    await crowd.save(crowd.user(1), 1);
    const limited = { 'retry-after': '5', 'ratelimit-policy': '3000;w=300' };
    proxy.fault(APPLY, answer(429, { error: 'RateLimitExceeded' }, limited));
    await crowd.save(crowd.user(0), 1);
    const asked = proxy.log.length;
    const [kept] = await crowd.save(crowd.user(1), 1, 'kept');
    expect(kept?.hasAtpRecord()).toBe(false);
    expect(proxy.calls.slice(asked)).toEqual([]);
    const [elsewhere] = await crowd.save(crowd.user(2), 1);
    expect(elsewhere?.hasAtpRecord()).toBe(true);
    crowd.app.taken(RecordPublished);
    await until(async () => (await crowd.app.parity.stats())?.pending === 0);
    expect(crowd.app.taken(RecordPublished)).toHaveLength(2);
    await crowd.app.stop();
  }, 60_000);

  it.each([
    ['500', answer(500, { error: 'InternalServerError', message: 'Internal Server Error' })],
    ['400 in plain text', answer(400, 'stale', { 'content-type': 'text/plain' })],
    ['400 InvalidRequest', answer(400, { error: 'InvalidRequest', message: 'stale' })],
    ['a broken connection', resetBefore],
  ])(
    'that refuses fences and tells a lost race with %s keeps no account from publishing, and makes no dead letter',
    async (_name, fault) => {
      const crowd = await Crowd.gather(network, [proxy.url, proxy.url], { pds: { timeoutMs: 2_000 } });
      const [one, other] = [crowd.user(0), crowd.user(1)];
      await crowd.save(one, 1, 'first');
      await until(async () => (await crowd.pending(one)) === 0);
      // One answer is lost, and from then on every fence and every stale write meets this.
      proxy.fault(isWrite, dropResponse);
      const stale = async (exchange: Exchange): Promise<void> => {
        const reply = isFence(exchange) ? null : await exchange.forward();
        if (reply?.status === 200) exchange.respond(reply);
        else await fault(exchange);
      };
      proxy.fault(APPLY, stale, Infinity);
      await crowd.save(one, 1, 'second');
      await until(async () => {
        await crowd.app.parity.retryPendingSyncs(one.did);
        return (await crowd.pending(one)) === 0;
      });
      await crowd.save(other, 1, 'other');
      await until(async () => (await crowd.pending(other)) === 0);
      expect(await network.listRecords(one.did, NSID)).toHaveLength(2);
      expect(await network.listRecords(other.did, NSID)).toHaveLength(1);
      expect(await crowd.app.parity.deadLetters.list()).toMatchObject({ letters: [] });
      await crowd.app.stop();
    },
  );

  it('that lacks a method is asked again an hour later, or by hand', async () => {
    const crowd = await Crowd.gather(network, [proxy.url, network.pdsUrl]);
    const user = crowd.user(0);
    proxy.fault(APPLY, answer(501, { error: 'MethodNotImplemented' }), Infinity);
    const [waiting] = await crowd.save(user, 1);
    await until(async () => (await crowd.app.parity.statusOf(waiting!)).status === 'retrying');
    const status = await crowd.app.parity.statusOf(waiting!);
    expect(status).toMatchObject({ error: expect.stringContaining(`does not have the method ${APPLY}`) });
    expect((status as { at: Date }).at.getTime()).toBeGreaterThan(Date.now() + 3_000_000);
    proxy.reset();
    await crowd.app.parity.retryPendingSyncs(user.did);
    expect(await crowd.pending(user)).toBe(0);
    expect(await network.listRecords(user.did, NSID)).toHaveLength(1);
    await crowd.app.stop();
  });
});
