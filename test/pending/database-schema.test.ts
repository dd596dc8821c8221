import { Column, Entity, PrimaryGeneratedColumn, type DataSource, type DataSourceOptions } from 'typeorm';
import { DatabasePendingSyncStore } from '../../lib/pending/database/database-pending-sync.store.js';
import { parityMigrations } from '../../lib/pending/database/create-parity-tables.migration.js';
import { ensureTables } from '../../lib/pending/database/ensure-tables.js';
import { parityEntities } from '../../lib/pending/database/parity-entities.js';
import {
  databaseKinds,
  describeDatabase,
  freshDataSource,
  type FreshDatabase,
} from '../support/databases.js';
import { aChange, ALICE } from './database-fixtures.js';

const TABLES = ['parity_ledger', 'parity_lane', 'parity_repository', 'parity_source', 'parity_inbound'];

@Entity()
class Thing {
  @PrimaryGeneratedColumn() id!: number;
  @Column() name!: string;
}

const pendingChanges = async (dataSource: DataSource): Promise<string[]> =>
  (await dataSource.driver.createSchemaBuilder().log()).upQueries.map(({ query }) => query);

/** Every column and index of the module's tables, as the database itself describes them. */
const described = async (dataSource: DataSource): Promise<unknown> => {
  const rows = (sql: string): Promise<Record<string, unknown>[]> => dataSource.query(sql);
  switch (dataSource.options.type) {
    case 'postgres':
      return [
        await rows(
          `SELECT table_name, column_name, ordinal_position, data_type, is_nullable, collation_name FROM information_schema.columns
           WHERE table_name LIKE 'parity%' ORDER BY 1, 3`,
        ),
        await rows(
          `SELECT tablename, indexname, indexdef FROM pg_indexes WHERE tablename LIKE 'parity%' ORDER BY 1, 2`,
        ),
      ];
    case 'mariadb':
      return Promise.all(
        TABLES.map(async (table) => {
          const [row] = await rows(`SHOW CREATE TABLE ${table}`);
          // The order of the indexes in the text is the order of their making.
          return String(row?.['Create Table']).split('\n').toSorted();
        }),
      );
    default:
      return rows(`SELECT sql FROM sqlite_master WHERE tbl_name LIKE 'parity%' ORDER BY name`);
  }
};

for (const kind of databaseKinds) {
  describeDatabase(kind)(`the tables of pending syncs (${kind})`, () => {
    let database: FreshDatabase;

    beforeEach(async () => {
      database = await freshDataSource(kind, [Thing, ...parityEntities], { synchronize: false });
    });
    afterEach(() => database?.cleanup());

    it('are the same by synchronize and by migration', async () => {
      const dataSource = await database.open({ migrations: parityMigrations });
      await dataSource.runMigrations();
      const migrated = await described(dataSource);
      await dataSource.undoLastMigration();
      await dataSource.synchronize();
      expect(await described(dataSource)).toEqual(migrated);
      expect(await pendingChanges(dataSource)).toEqual([]);
    });

    it('leave nothing to migration:generate, and are dropped with their migration', async () => {
      const dataSource = await database.open({ migrations: parityMigrations });
      await dataSource.runMigrations();
      const changes = await pendingChanges(dataSource);
      expect(changes).toEqual([expect.stringContaining('thing')]);
      await dataSource.undoLastMigration();
      const runner = dataSource.createQueryRunner();
      for (const table of TABLES) expect(await runner.hasTable(table)).toBe(false);
      await runner.release();
    });

    it('are required at start-up, with an error that says how to create them', async () => {
      const dataSource = await database.open();
      await expect(ensureTables(dataSource)).rejects.toMatchObject({
        code: 'INVALID_OPTIONS',
        message: expect.stringMatching(/parity_ledger.*parityMigrations.*parityEntities/s),
      });
      await dataSource.synchronize();
      await expect(ensureTables(dataSource)).resolves.toBeUndefined();
    });

    it('work under a prefix, and without the entities being registered', async () => {
      const prefixed = { entityPrefix: 'app_', migrations: parityMigrations };
      const dataSource = await database.open(prefixed);
      await dataSource.runMigrations();
      expect((await pendingChanges(dataSource)).filter((sql) => sql.includes('parity'))).toEqual([]);
      for (const entities of [parityEntities, []]) {
        const other = await database.open({ ...prefixed, entities } as Partial<DataSourceOptions> as object);
        await ensureTables(other);
        const store = new DatabasePendingSyncStore({ dataSource: other, ttl: null });
        await store.capture([aChange('a')]);
        expect(await store.countForDid(ALICE)).toBe(1);
      }
    });
  });
}

describeDatabase('postgres')('the tables of pending syncs in a schema of their own', () => {
  it('are named with it, whatever the search path', async () => {
    const database = await freshDataSource('postgres', [Thing, ...parityEntities], { synchronize: false });
    try {
      const plain = await database.open();
      await plain.query('CREATE SCHEMA app');
      const dataSource = await database.open({ schema: 'app', migrations: parityMigrations } as object);
      await dataSource.runMigrations();
      expect((await pendingChanges(dataSource)).filter((sql) => sql.includes('parity'))).toEqual([]);
      await ensureTables(dataSource);
      const store = new DatabasePendingSyncStore({ dataSource, ttl: null });
      await store.capture([aChange('a')]);
      await store.wake(ALICE);
      expect(await store.readyLanes(1)).toEqual([ALICE]);
      expect(await plain.query('SELECT count(*)::int AS count FROM app.parity_ledger')).toEqual([
        { count: 1 },
      ]);
    } finally {
      await database.cleanup();
    }
  });
});

describe('a DataSource of another kind', () => {
  it('is refused with an error that names the supported kinds', async () => {
    const dataSource = { options: { type: 'mssql' } } as DataSource;
    expect(() => new DatabasePendingSyncStore({ dataSource, ttl: null })).toThrow(/better-sqlite3.*'cache'/);
  });
});
