import { DataSource, type DataSourceOptions } from 'typeorm';
import { SessionStoreError } from '../../../errors/session-store.error.js';
import { compiled, type OAuthConnection } from './oauth-connection.js';
import { ensureOAuthTables, oauthTablePath, type OAuthDialect, type OAuthTable } from './oauth-tables.js';

/**
 * PostgreSQL, MySQL, MariaDB: a small pool of its own, opened when it is first needed. A session may be wanted while the application
 * holds all of its connections, in transactions that wait for just this session.
 */
export class PoolConnection implements OAuthConnection {
  #opened: Promise<DataSource> | undefined;
  #closed = false;

  constructor(
    private readonly application: () => DataSource,
    readonly dialect: OAuthDialect,
    private readonly poolSize: number,
  ) {}

  table(name: OAuthTable): string {
    const { driver } = this.application();
    return oauthTablePath(this.application(), name)
      .split('.')
      .map((part) => driver.escape(part))
      .join('.');
  }

  async read(sql: string, parameters: readonly unknown[]): Promise<readonly Record<string, unknown>[]> {
    return (await this.#query(sql, parameters)).records;
  }

  async write(sql: string, parameters: readonly unknown[]): Promise<number> {
    return (await this.#query(sql, parameters)).affected ?? 0;
  }

  ensureTables(): Promise<void> {
    return ensureOAuthTables(this.application());
  }

  async close(): Promise<void> {
    this.#closed = true;
    const own = await this.#opened?.catch(() => undefined);
    if (own?.isInitialized) await own.destroy();
  }

  async #query(sql: string, parameters: readonly unknown[]) {
    const runner = (await this.#open()).createQueryRunner('master');
    try {
      return await runner.query(compiled(sql, this.dialect), [...parameters], true);
    } finally {
      await runner.release();
    }
  }

  #open(): Promise<DataSource> {
    if (this.#closed)
      return Promise.reject(new SessionStoreError('The connections of the OAuth sessions are closed.'));
    this.#opened ??= new DataSource(this.#options()).initialize().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  #options(): DataSourceOptions {
    const { options } = this.application();
    const extra = (options as { extra?: object }).extra;
    const limit = this.dialect === 'postgres' ? { max: this.poolSize } : { connectionLimit: this.poolSize };
    return {
      ...options,
      entities: [],
      subscribers: [],
      migrations: [],
      synchronize: false,
      migrationsRun: false,
      dropSchema: false,
      cache: false,
      // Rows of sessions belong in no log, encrypted or not.
      logging: false,
      poolSize: this.poolSize,
      extra: { ...extra, ...limit },
    } as DataSourceOptions;
  }
}
