import { jest } from '@jest/globals';
import { once } from 'node:events';
import { DataSource } from 'typeorm';
import type { Account } from 'nestjs-parity/testing';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Note, notebook, Owner } from '../support/entities/notebook.js';
import { freshDataSource, type FreshDatabase } from '../support/databases.js';
import { Held, isWrite } from '../support/fault-proxy.js';
import { aNamespace, redisKeyv } from '../support/redis.js';
import { describeIf } from '../support/servers.js';
import { startSource } from '../support/source-process.js';
import type { CachedProcessInput } from './cached-process.js';

jest.setTimeout(180_000);

const FILE = new URL('cached-process.ts', import.meta.url);

let servers: FaultyNetwork;
let database: FreshDatabase;
let dataSource: DataSource;
let account: Account;
let namespace: string;

beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());
beforeEach(async () => {
  namespace = aNamespace();
  account = await servers.account();
  database = await freshDataSource('sqlite', notebook.entities);
  dataSource = await database.open();
  await dataSource.manager.save(Object.assign(new Owner(), { id: 1, did: account.did }));
});
afterEach(async () => {
  servers.proxy.reset();
  const keyv = redisKeyv(namespace);
  await keyv.clear();
  await keyv.disconnect();
  await database.cleanup();
});

const start = (text: string | null) => {
  const { did, password } = account;
  const place = { ...database.options, entities: undefined };
  const pdsUrl = servers.proxy.url;
  return startSource(FILE, {
    pdsUrl,
    database: place,
    account: { did, password },
    namespace,
    text,
  } satisfies CachedProcessInput);
};

const texts = async (): Promise<unknown[]> =>
  (await servers.network.listRecords(account.did, 'com.example.note')).map(({ value }) => value['text']);

describeIf('redis')(
  'a process with pending syncs in Redis that is killed during the first attempt on a change',
  () => {
    it.each([
      ['has landed', 'before the next start'],
      ['is still under way', 'after the next process is done'],
    ])('leaves a request that %s; it counts %s, and makes no second record', async (_what, when) => {
      const held = new Held();
      servers.proxy.fault(isWrite, held.fault);
      const doomed = start('sent once');
      const ended = once(doomed, 'exit');
      await held.arrived;
      doomed.kill('SIGKILL');
      await ended;
      expect(await dataSource.manager.countBy(Note, { text: 'sent once' })).toBe(1);

      if (when.startsWith('before')) await held.land();
      expect(await once(start(null), 'exit')).toEqual([0, null]);
      if (when.startsWith('after')) await held.land();

      expect(await texts()).toEqual(['sent once']);
      const note = await dataSource.manager.findOneByOrFail(Note, { text: 'sent once' });
      expect((await servers.network.getRecord(note.getAtpUri()!))?.cid).toBe(note.getAtpCid());
      const created = (await servers.network.commits(account.did)).flatMap(({ ops }) => ops);
      expect(created.filter(({ path }) => path.startsWith('com.example.note/'))).toHaveLength(1);
    });
  },
);
