import { DataSource, type DataSourceOptions, type QueryRunner } from 'typeorm';
import { capabilitiesOf } from './capabilities.js';

/**
 * A small pool beside that of the application, opened by its first use. What is written here survives the
 * rollback of any transaction of the application. It needs no connection of the application's pool.
 */
export class OwnPool {
  private opened: Promise<DataSource> | undefined;
  private isClosed = false;

  constructor(
    private readonly application: DataSource,
    private readonly size: number,
    /** The error of a use after {@link close}. */
    private readonly closedError: () => Error,
  ) {}

  async use<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    const runner = (await this.open()).createQueryRunner('master');
    try {
      return await work(runner);
    } finally {
      await runner.release();
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const own = await this.opened?.catch(() => undefined);
    if (own?.isInitialized) await own.destroy();
  }

  private open(): Promise<DataSource> {
    if (this.isClosed) return Promise.reject(this.closedError());
    this.opened ??= new DataSource(this.options()).initialize().catch((error: unknown) => {
      this.opened = undefined;
      throw error;
    });
    return this.opened;
  }

  private options(): DataSourceOptions {
    const { options } = this.application;
    const { extra } = options as { extra?: object };
    const { poolSizeOption } = capabilitiesOf(this.application);
    return {
      ...options,
      entities: [],
      subscribers: [],
      migrations: [],
      synchronize: false,
      migrationsRun: false,
      dropSchema: false,
      cache: false,
      // The parameters of these statements belong in no log, encrypted or not.
      logging: false,
      poolSize: this.size,
      extra: { ...extra, ...(poolSizeOption && { [poolSizeOption]: this.size }) },
    } as DataSourceOptions;
  }
}
