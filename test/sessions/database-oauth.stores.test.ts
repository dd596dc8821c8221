import type { DataSource } from 'typeorm';
import { ParityOptionsError } from '../../lib/errors/parity-options.error.js';
import { CreateParityOAuthTables1795392000001 } from '../../lib/sessions/oauth/database/create-parity-oauth-tables.migration.js';
import { DatabaseLeases } from '../../lib/sessions/oauth/database/database-leases.js';
import { databaseOAuthStores } from '../../lib/sessions/oauth/database/database-oauth-stores.js';
import { OAuthCleanup } from '../../lib/sessions/oauth/database/oauth-cleanup.js';
import { OAuthDatabase } from '../../lib/sessions/oauth/database/oauth-database.js';
import { parityOAuthEntities } from '../../lib/sessions/oauth/database/parity-oauth-entities.js';
import {
  databaseKinds,
  describeDatabase,
  freshDataSource,
  type DatabaseKind,
  type ExtraOptions,
  type FreshDatabase,
} from '../support/databases.js';
import { until } from '../support/until.js';
import { rejection } from './fixtures.js';
import { DID, SECRETS, aKey, aSession, aState } from './stored-values.js';

const KEY = aKey();
const HOUR = 3_600_000_000;
const tables = ['parity_oauth_state', 'parity_oauth_session', 'parity_oauth_lock'];

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function aDatabase(kind: DatabaseKind, extra: ExtraOptions = {}): Promise<FreshDatabase> {
  const database = await freshDataSource(kind, parityOAuthEntities, extra);
  closing.push(() => database.cleanup());
  return database;
}

function storesOn(dataSource: DataSource) {
  const stores = databaseOAuthStores(dataSource, { encryptionKeys: [KEY] });
  closing.push(() => stores.close());
  return stores;
}

function connectionTo(dataSource: DataSource): OAuthDatabase {
  const connection = new OAuthDatabase(() => dataSource, 2);
  closing.push(() => connection.close());
  return connection;
}

for (const kind of databaseKinds) {
  describeDatabase(kind)(`sessions in ${kind}`, () => {
    it('are given back as they were stored, encrypted, and gone when deleted', async () => {
      const dataSource = await (await aDatabase(kind)).open();
      const { stateStore, sessionStore } = storesOn(dataSource);
      await stateStore.set('Key', aState());
      await sessionStore.set(DID, aSession());
      await sessionStore.set(DID, aSession(DID, 'the-refresh-token 2'));

      expect(await stateStore.get('Key')).toEqual(aState());
      expect(await stateStore.get('key')).toBeUndefined();
      expect(await sessionStore.get(DID)).toEqual(aSession(DID, 'the-refresh-token 2'));
      expect(await sessionStore.get('did:plc:nobody')).toBeUndefined();
      for (const table of tables.slice(0, 2)) {
        const rows = JSON.stringify(await dataSource.query(`SELECT * FROM ${table}`));
        expect(rows).toMatch(/"value":"\{\\"encrypted\\":1,/);
        for (const secret of SECRETS) expect(rows).not.toContain(secret);
      }

      await stateStore.del('Key');
      await sessionStore.del(DID);
      expect(await stateStore.get('Key')).toBeUndefined();
      expect(await sessionStore.get(DID)).toBeUndefined();
    });

    it('cannot be swapped between rows, and a missing key deletes nothing', async () => {
      const dataSource = await (await aDatabase(kind)).open();
      const { sessionStore } = storesOn(dataSource);
      await sessionStore.set(DID, aSession());
      await sessionStore.set('did:plc:mallory', aSession('did:plc:mallory'));
      const [row] = await dataSource.query(`SELECT value FROM parity_oauth_session WHERE did = '${DID}'`);
      await dataSource
        .createQueryBuilder()
        .update('ParityOAuthSession')
        .set({ value: row.value })
        .where({ did: 'did:plc:mallory' })
        .execute();

      expect(await rejection(sessionStore.get('did:plc:mallory'))).toMatchObject({ code: 'INVALID_OPTIONS' });
      const other = databaseOAuthStores(dataSource, { encryptionKeys: [aKey()] });
      closing.push(() => other.close());
      expect(await rejection(other.sessionStore.get(DID))).toMatchObject({ code: 'INVALID_OPTIONS' });
      expect(await sessionStore.get(DID)).toEqual(aSession());
    });

    it('survive a rollback of the application, whose transaction holds its only connection', async () => {
      const dataSource = await (await aDatabase(kind, { poolSize: 1 })).open();
      const { sessionStore } = storesOn(dataSource);
      await sessionStore.set(DID, aSession());
      const runner = dataSource.createQueryRunner();
      await runner.startTransaction();
      await runner.query(`INSERT INTO parity_oauth_lock (name, token, expires_at) VALUES ('x', 'x', 0)`);

      expect(await sessionStore.get(DID)).toEqual(aSession());
      const written = sessionStore.set(DID, aSession(DID, 'refreshed'));
      if (kind !== 'sqlite') await written;
      await runner.rollbackTransaction();
      await runner.release();
      await written;

      expect(await sessionStore.get(DID)).toEqual(aSession(DID, 'refreshed'));
    });

    it('forget sign-ins after an hour, and remove them and old leases in passing', async () => {
      const dataSource = await (await aDatabase(kind)).open();
      const connection = connectionTo(dataSource);
      const { stateStore } = storesOn(dataSource);
      for (let i = 0; i < 3; i++) await stateStore.set(`s${i}`, aState());
      const age = async (id: string, by: number) =>
        dataSource.query(`UPDATE parity_oauth_state SET created_at = created_at - ${by} WHERE id = '${id}'`);
      await age('s0', HOUR + 1_000_000);
      await age('s1', HOUR - 60_000_000);
      const leases = new DatabaseLeases(connection);
      await leases.tryAcquire('old', 't', 1_000);
      await leases.tryAcquire('new', 't', 1_000);
      await dataSource.query(
        `UPDATE parity_oauth_lock SET expires_at = expires_at - ${25 * HOUR} WHERE name = 'old'`,
      );

      expect(await stateStore.get('s0')).toBeUndefined();
      expect(await stateStore.get('s1')).toBeDefined();
      expect(await new OAuthCleanup(connection).run()).toBe(2);
      expect(await dataSource.query('SELECT id FROM parity_oauth_state ORDER BY id')).toEqual([
        { id: 's1' },
        { id: 's2' },
      ]);
      expect(await dataSource.query('SELECT name FROM parity_oauth_lock')).toEqual([{ name: 'new' }]);
    });

    it('have leases that one of many gets, that end by themselves, and that only their owner ends', async () => {
      const database = await aDatabase(kind);
      const dataSource = await database.open();
      const leases = [1, 2, 3].map(() => new DatabaseLeases(connectionTo(dataSource)));
      const all = async (round: string, ttl: number) => {
        const tries = leases.flatMap((each, i) =>
          [1, 2, 3, 4].map((j) => each.tryAcquire('lock', `${round} ${i} ${j}`, ttl)),
        );
        return (await Promise.all(tries)).filter(Boolean).length;
      };

      expect(await all('first', 3_000)).toBe(1);
      expect(await all('second', 3_000)).toBe(0);
      await until(async () => (await all('third', 60_000)) === 1);
      await leases[0]!.release('lock', 'somebody else');
      expect(await all('fourth', 60_000)).toBe(0);
      const [{ token }] = await dataSource.query('SELECT token FROM parity_oauth_lock');
      await leases[1]!.release('lock', token);
      expect(await all('fifth', 60_000)).toBe(1);
    });

    it('have tables that migrations make and take away as the entities want them, under a prefix', async () => {
      const database = await aDatabase(kind, {
        synchronize: false,
        entityPrefix: 'app_',
        migrations: [CreateParityOAuthTables1795392000001],
      });
      const dataSource = await database.open();
      const stores = storesOn(dataSource);
      const missing = await rejection(stores.ensureTables());
      expect(missing).toBeInstanceOf(ParityOptionsError);
      expect((missing as Error).message).toMatch(/app_parity_oauth_state.*parityMigrations/);

      await dataSource.runMigrations();
      await stores.ensureTables();
      const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
      expect(upQueries.map(({ query }) => query)).toEqual([]);
      await stores.sessionStore.set(DID, aSession());
      expect(await stores.sessionStore.get(DID)).toEqual(aSession());

      await dataSource.undoLastMigration();
      const runner = dataSource.createQueryRunner();
      for (const table of tables) expect(await runner.hasTable(`app_${table}`)).toBe(false);
      await runner.release();
      await dataSource.runMigrations();
      await stores.ensureTables();
    });

    it('find the tables that migrations made where the entities are not registered', async () => {
      const database = await freshDataSource(kind, [], {
        synchronize: false,
        entityPrefix: 'app_',
        migrations: [CreateParityOAuthTables1795392000001],
      });
      closing.push(() => database.cleanup());
      const dataSource = await database.open();
      await dataSource.runMigrations();
      const stores = storesOn(dataSource);
      await stores.ensureTables();
      await stores.sessionStore.set(DID, aSession());
      expect(await stores.sessionStore.get(DID)).toEqual(aSession());
    });
  });
}

describe('sessions in SQLite', () => {
  it('work in memory, from a DataSource that is made later', async () => {
    const { open } = await aDatabase('sqlite', { database: ':memory:' });
    let dataSource: DataSource | undefined;
    const { sessionStore } = databaseOAuthStores(() => dataSource!, { encryptionKeys: [KEY] });
    dataSource = await open();
    await sessionStore.set(DID, aSession());
    expect(await sessionStore.get(DID)).toEqual(aSession());
  });

  it('are not written into a transaction that stays open', async () => {
    const dataSource = await (await aDatabase('sqlite')).open();
    const { sessionStore } = storesOn(dataSource);
    const runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    await expect(sessionStore.set(DID, aSession())).rejects.toThrow(/transaction has been open/);
    await runner.commitTransaction();
    expect(await sessionStore.get(DID)).toBeUndefined();
  });
});

describeDatabase('postgres')('the pool of sessions', () => {
  it('is opened when first needed, has two connections, and is closed', async () => {
    const dataSource = await (await aDatabase('postgres', { applicationName: 'app' } as object)).open();
    const count = async () =>
      Number(
        (
          await dataSource.query(
            `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'app'`,
          )
        )[0].count,
      );
    const before = await count();
    const { sessionStore, close } = storesOn(dataSource);
    expect(await count()).toBe(before);
    await Promise.all(Array.from({ length: 20 }, (_, i) => sessionStore.set(`did:plc:${i}`, aSession())));
    expect(await count()).toBe(before + 2);
    await close();
    await close();
    await until(async () => (await count()) === before);
    await expect(sessionStore.get(DID)).rejects.toThrow('closed');
  });
});

it('refuses a database that it does not know', async () => {
  const unknown = { options: { type: 'mongodb' } } as unknown as DataSource;
  const { sessionStore } = databaseOAuthStores(unknown, { encryptionKeys: [KEY] });
  await expect(sessionStore.get(DID)).rejects.toThrow(/type 'mongodb'.*postgres, mysql, mariadb/);
});
