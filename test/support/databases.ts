import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource, type DataSourceOptions, type EntitySchema } from 'typeorm';
import { describeIf, serverUrl } from './servers.js';

export const databaseKinds = ['sqlite', 'postgres', 'mariadb'] as const;
export type DatabaseKind = (typeof databaseKinds)[number];

/** What may be changed on top: anything that all kinds understand, and `database: ':memory:'` for SQLite. */
export type ExtraOptions = Partial<
  Omit<DataSourceOptions, 'type' | 'entities' | 'database' | 'poolSize' | 'driver'>
> & {
  database?: ':memory:';
  poolSize?: number;
};

/** Classes with decorators, and schemas. */
export type Entities = (Function | EntitySchema)[];

export interface FreshDatabase {
  /** For `TypeOrmModule.forRoot` or `new DataSource`; the schema is made from the entities (`synchronize`). */
  options: DataSourceOptions;
  /** A connected data source on it; {@link FreshDatabase.cleanup} closes it. */
  open(more?: ExtraOptions): Promise<DataSource>;
  /** Closes what {@link FreshDatabase.open} opened and removes the database, also under connections that leaked. */
  cleanup(): Promise<void>;
}

/** A `describe` for one kind of database; see {@link describeIf} for what happens without its server. */
export function describeDatabase(kind: DatabaseKind): (name: string, define: () => void) => void {
  return kind === 'sqlite' ? (name, define) => describe(name, define) : describeIf(kind);
}

/** An empty database of its own: a temporary file for SQLite, a new database on the server for the others. */
export async function freshDataSource(
  kind: DatabaseKind,
  entities: NonNullable<DataSourceOptions['entities']>,
  extra: ExtraOptions = {},
): Promise<FreshDatabase> {
  const inMemory = extra.database === ':memory:';
  const place = inMemory ? memory : await (kind === 'sqlite' ? sqliteFile() : serverDatabase(kind));
  const opened: DataSource[] = [];
  // The union of the drivers' options cannot be put together piece by piece; the parts above are typed.
  const options = { ...place.options, entities, synchronize: true, ...extra } as DataSourceOptions;
  return {
    options,
    async open(more = {}) {
      const dataSource = new DataSource({ ...options, ...more } as DataSourceOptions);
      opened.push(dataSource);
      return dataSource.initialize();
    },
    async cleanup() {
      for (const dataSource of opened) if (dataSource.isInitialized) await dataSource.destroy();
      await place.remove();
    },
  };
}

interface Place {
  options: Partial<DataSourceOptions>;
  remove(): Promise<void>;
}

const memory: Place = { options: { type: 'better-sqlite3' }, remove: () => Promise.resolve() };

async function sqliteFile(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'parity-test-'));
  return {
    options: { type: 'better-sqlite3', database: join(folder, 'test.sqlite') },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

async function serverDatabase(kind: 'postgres' | 'mariadb'): Promise<Place> {
  const name = `parity_test_${process.pid}_${randomBytes(6).toString('hex')}`;
  const url = serverUrl(kind);
  const server = {
    type: kind,
    host: url.hostname,
    ...(url.port && { port: Number(url.port) }),
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
  const login = url.pathname.slice(1);
  const administrate = (statement: string) =>
    run({ ...server, ...(login && { database: decodeURIComponent(login) }) }, statement);
  await administrate(`CREATE DATABASE ${name}`);
  return {
    options: { ...server, database: name },
    // Without FORCE one connection that a failing test left open would fail the whole file a second time.
    remove: () =>
      administrate(`DROP DATABASE IF EXISTS ${name}${kind === 'postgres' ? ' WITH (FORCE)' : ''}`),
  };
}

async function run(options: DataSourceOptions, statement: string): Promise<void> {
  const dataSource = await new DataSource(options).initialize();
  try {
    await dataSource.query(statement);
  } finally {
    await dataSource.destroy();
  }
}
