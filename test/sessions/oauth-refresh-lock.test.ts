import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createClient } from '@keyv/redis';
import { requestLocalLock, type NodeSavedSession, type RuntimeLock } from '@atproto/oauth-client-node';
import { databaseOAuthStores } from '../../lib/sessions/oauth/database/database-oauth-stores.js';
import { parityOAuthEntities } from '../../lib/sessions/oauth/database/parity-oauth-entities.js';
import { leaseLock } from '../../lib/sessions/oauth/lease-lock.js';
import { redisRequestLock } from '../../lib/sessions/oauth/redis-request-lock.js';
import { databaseKinds, describeDatabase, freshDataSource, type DatabaseKind } from '../support/databases.js';
import { describeIf, serverUrl } from '../support/servers.js';
import { until } from '../support/until.js';
import { rejection } from './fixtures.js';
import { COLLECTION, aStore, anOAuthNetwork, metadata, watchTokens } from './oauth-fixtures.js';
import type { SessionProcessInput } from './session-process.js';
import { aKey } from './stored-values.js';

const KEY = aKey();
const on = anOAuthNetwork({ faults: true });
const { anAccount, anApp, signIn, write } = on;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  on.proxy.reset();
  for (const close of closing.splice(0).toReversed()) await close();
});

async function aDatabase(kind: DatabaseKind) {
  const database = await freshDataSource(kind, parityOAuthEntities);
  closing.push(() => database.cleanup());
  const dataSource = await database.open();
  const anotherProcess = async (synchronize = false) => {
    const own = synchronize ? dataSource : await database.open({ synchronize });
    const stores = databaseOAuthStores(own, { encryptionKeys: [KEY] });
    closing.push(() => stores.close());
    return anApp(stores);
  };
  return { database, anotherProcess };
}

for (const kind of databaseKinds) {
  describeDatabase(kind)(`with the lock in ${kind}`, () => {
    it('two processes that need a refresh at once refresh once, and both write', async () => {
      const { anotherProcess } = await aDatabase(kind);
      const account = await anAccount();
      const [one, two] = [await anotherProcess(true), await anotherProcess()];
      await signIn(one.oauth, account);
      await Promise.all([write(one.oauth, account.did), write(two.oauth, account.did)]);
      const answers = watchTokens(on.proxy, { delayed: 50 });

      for (let round = 1; round <= 2; round++) {
        await on.network.expireAccessTokens(account);
        await Promise.all([one, two].flatMap(({ oauth }) => [1, 2].map(() => write(oauth, account.did))));
        expect(answers).toEqual(Array(round).fill('200'));
      }

      expect(await on.network.oauthSessions(account)).toBe(1);
      expect([...one.names(), ...two.names()]).toEqual(['SessionAuthenticated']);
    });
  });
}

describeDatabase('postgres')('with a process of its own', () => {
  it('two processes that need a refresh at once refresh once, and both write', async () => {
    const { database, anotherProcess } = await aDatabase('postgres');
    const account = await anAccount();
    const { oauth, names } = await anotherProcess(true);
    await signIn(oauth, account);
    const input: SessionProcessInput = {
      plcUrl: on.network.plcUrl,
      pdsUrl: on.network.publicUrl,
      clientMetadata: metadata(),
      database: database.options,
      encryptionKey: KEY,
      did: account.did,
      collection: COLLECTION,
    };
    const file = fileURLToPath(new URL('session-process.ts', import.meta.url));
    const children = [1, 2].map(() =>
      fork(file, [JSON.stringify({ ...input, database: { ...database.options, entities: [] } })], {
        execArgv: ['--disable-warning=ExperimentalWarning'],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      }),
    );
    closing.push(async () => children.forEach((child) => child.kill('SIGKILL')));
    await Promise.all(children.map((child) => once(child, 'message')));
    const answers = watchTokens(on.proxy, { delayed: 50 });
    await on.network.expireAccessTokens(account);

    const told = children.map((child) => once(child, 'message'));
    for (const child of children) child.send('go');
    await write(oauth, account.did);

    expect((await Promise.all(told)).map(([message]) => message)).toEqual(['written', 'written']);
    expect(answers).toEqual(['200']);
    expect(await on.network.listRecords(account.did, COLLECTION)).toHaveLength(3);
    await write(oauth, account.did);
    expect(names()).toEqual(['SessionAuthenticated']);
  }, 60_000);
});

describeIf('redis')('with the lock in Redis', () => {
  const client = () => {
    const made = createClient({ url: serverUrl('redis').href });
    closing.push(async () => made.destroy());
    return made.connect();
  };

  it('two processes that need a refresh at once refresh once, and both write', async () => {
    const account = await anAccount();
    const sessionStore = aStore<NodeSavedSession>();
    const prefix = `test:${account.did}:`;
    const apps = await Promise.all(
      [1, 2].map(async () =>
        anApp({ sessionStore, requestLock: redisRequestLock(await client(), { prefix }) }),
      ),
    );
    await signIn(apps[0]!.oauth, account);
    const answers = watchTokens(on.proxy, { delayed: 50 });
    await on.network.expireAccessTokens(account);

    await Promise.all(apps.map(({ oauth }) => write(oauth, account.did)));

    expect(answers).toEqual(['200']);
    expect(await (await client()).keys(`${prefix}*`)).toEqual([]);
  });

  it('a lease ends by itself, and is ended by its owner only', async () => {
    const redis = await client();
    const prefix = `test:${aKey()}:`;
    const { promise: forever } = Promise.withResolvers<void>();
    const lock = redisRequestLock(redis, { prefix, ttlMs: 3_000, waitMs: 100 });
    void lock('l', () => forever);
    const isHeld = async () => (await redis.exists(`${prefix}l`)) > 0;
    await until(isHeld);
    expect(await rejection(Promise.resolve(lock('l', () => 'no')))).toMatchObject({
      message: expect.stringContaining('not to be had for 100 ms') as string,
    });
    await until(async () => !(await isHeld()));
    expect(await lock('l', () => redis.set(`${prefix}l`, 'of another process'))).toBe('OK');
    expect(await redis.get(`${prefix}l`)).toBe('of another process');
    await redis.del(`${prefix}l`);
  });
});

describe('a refresh', () => {
  it('without a lock spends one token twice, which is why there is one', async () => {
    const account = await anAccount();
    const sessionStore = aStore<NodeSavedSession>();
    const none: RuntimeLock = async (_name, fn) => fn();
    const apps = [1, 2].map(() => anApp({ sessionStore, requestLock: none }));
    await signIn(apps[0]!.oauth, account);
    const answers = watchTokens(on.proxy, { together: 2 });
    await on.network.expireAccessTokens(account);

    await Promise.allSettled(apps.map(({ oauth }) => write(oauth, account.did)));

    expect(answers.length).toBeGreaterThan(1);
  });

  it('takes the lock only when a token is to be spent, once, and gives it back when it fails', async () => {
    const account = await anAccount();
    const sessionStore = aStore<NodeSavedSession>();
    const taken: string[] = [];
    const requestLock: RuntimeLock = async (name, fn) => {
      taken.push(name);
      return requestLocalLock(name, fn);
    };
    const { oauth } = anApp({ sessionStore, requestLock });
    await signIn(oauth, account);
    await Promise.all([1, 2, 3].map(() => write(oauth, account.did)));
    expect(taken).toEqual([]);

    on.proxy.fault('/oauth/token', (exchange) => exchange.cut(), 3);
    await on.network.expireAccessTokens(account);
    await rejection(write(oauth, account.did));
    expect(sessionStore.entries.size).toBe(1);
    on.proxy.reset();
    await write(oauth, account.did);
    expect(new Set(taken)).toEqual(new Set([`@atproto-oauth-client-${account.did}`]));
    expect(taken.length).toBeGreaterThan(1);
  });

  it('fails without harm while the lock cannot be had, and succeeds when it can', async () => {
    const account = await anAccount();
    const sessionStore = aStore<NodeSavedSession>();
    let held = true;
    const leases = { tryAcquire: async () => !held, release: async () => {} };
    const { oauth, names } = anApp({ sessionStore, requestLock: leaseLock(leases, { waitMs: 60 }) });
    await signIn(oauth, account);
    const answers = watchTokens(on.proxy);
    await on.network.expireAccessTokens(account);

    await rejection(write(oauth, account.did));
    expect(answers).toEqual([]);
    held = false;
    await write(oauth, account.did);
    expect(answers).toEqual(['200']);
    expect(names()).toEqual(['SessionAuthenticated']);
  });

  it('does not fail because its lease could not be ended', async () => {
    const lock = leaseLock({
      tryAcquire: async () => true,
      release: () => Promise.reject(new Error('down')),
    });
    expect(await lock('l', () => 'done')).toBe('done');
  });

  it('that meets a session which another process has ended ends here too, without a request', async () => {
    const account = await anAccount();
    const sessionStore = aStore<NodeSavedSession>();
    const requestLock: RuntimeLock = async (_name, fn) => {
      sessionStore.entries.clear();
      return fn();
    };
    const { oauth } = anApp({ sessionStore, requestLock });
    await signIn(oauth, account);
    const answers = watchTokens(on.proxy);
    await on.network.expireAccessTokens(account);

    await rejection(write(oauth, account.did));
    expect(await rejection(oauth.agentFor(account.did))).toMatchObject({ code: 'OAUTH_SESSION_INVALID' });
    expect(answers).toEqual([]);
  });

  it('does not bring back a session that is ended while its answer is on the way', async () => {
    const account = await anAccount();
    const sessionStore = aStore<NodeSavedSession>();
    const { oauth } = anApp({ sessionStore });
    await signIn(oauth, account);
    await on.network.expireAccessTokens(account);
    on.proxy.fault(
      '/oauth/token',
      async (exchange) => {
        const answer = await exchange.forward();
        sessionStore.entries.clear();
        exchange.respond(answer);
      },
      2,
    );

    await rejection(write(oauth, account.did));

    expect(sessionStore.entries.size).toBe(0);
    expect(await on.network.oauthSessions(account)).toBe(0);
  });
});
