import { EventEmitterModule, EventEmitter2 } from '@nestjs/event-emitter';
import { Test, type TestingModule } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { LoggerService, ModuleMetadata } from '@nestjs/common';
import { DataSource, type ObjectLiteral, type Repository } from 'typeorm';
import {
  ParityModule,
  parityEntities,
  ParityService,
  type ParityModuleExtras,
  type ParityModuleOptions,
  type ParityOptions,
  type SessionProvider,
} from 'nestjs-parity';
import {
  freshDataSource,
  type DatabaseKind,
  type Entities,
  type ExtraOptions,
  type FreshDatabase,
} from './databases.js';
import type { Model } from './entities/model.js';

export interface AppOptions {
  readonly model: Model;
  /** Of the accounts; without it `parity` has the options of OAuth. */
  readonly sessions?: SessionProvider;
  /** A kind of database: an empty one, removed at the end. Or one that outlives the application. Default SQLite. */
  readonly database?: DatabaseKind | FreshDatabase;
  readonly mode?: NonNullable<NonNullable<ParityOptions['sync']>['mode']>;
  /** Of pending syncs; without it nothing is kept. */
  readonly storage?: 'none' | 'cache' | 'database';
  /** What else is said of the kept. */
  readonly pendingSyncs?: NonNullable<ParityOptions['pendingSyncs']>;
  readonly dataSource?: ExtraOptions;
  /** Every other option of the module. */
  readonly parity?: ParityModuleOptions;
  readonly providers?: ModuleMetadata['providers'];
}

/** A running application: entities of a model, in a database, published in a mode. */
export function aParityApp(options: AppOptions): Promise<ParityApp> {
  const { model, sessions, mode, storage = 'none', pendingSyncs, parity, ...surroundings } = options;
  return ParityApp.start({
    ...surroundings,
    entities: [...new Set([...model.entities, ...(storage === 'database' ? parityEntities : [])])],
    parity: {
      ...parity,
      ...(sessions && { sessions }),
      ...((mode ?? parity?.sync) && { sync: { ...parity?.sync, ...(mode !== undefined && { mode }) } }),
      ...(storage !== 'none' && { pendingSyncs: { enabled: true, storage, ...pendingSyncs } }),
      mappers: model.mappers,
    },
  });
}

/** A database for several applications with this model, one after the other or together. */
export const aDatabaseFor = (
  kind: DatabaseKind,
  { entities }: Pick<Model, 'entities'>,
): Promise<FreshDatabase> => freshDataSource(kind, [...entities, ...parityEntities] as Function[]);

/** For what {@link aParityApp} has no word for. */
export interface ParityAppOptions {
  readonly entities: Entities;
  readonly parity: ParityModuleOptions & ParityModuleExtras;
  /** A kind of database: an empty one, removed at the end. Or one that outlives the application. */
  readonly database?: DatabaseKind | FreshDatabase;
  readonly dataSource?: ExtraOptions;
  readonly providers?: ModuleMetadata['providers'];
}

/** A Nest application with the module, on a database of its own; remembers the events and the log lines. */
export class ParityApp {
  readonly events: object[] = [];

  private constructor(
    readonly module: TestingModule,
    readonly log: RecordingLogger,
    private readonly cleanup: () => Promise<void>,
  ) {
    module.get(EventEmitter2).onAny((_name, event: object) => void this.events.push(event));
  }

  static async start(options: ParityAppOptions): Promise<ParityApp> {
    const { database: given = 'sqlite' } = options;
    const database =
      typeof given === 'string'
        ? await freshDataSource(given, options.entities, options.dataSource)
        : { ...given, cleanup: () => Promise.resolve() };
    const log = new RecordingLogger();
    try {
      const module = await Test.createTestingModule({
        imports: [
          TypeOrmModule.forRoot({ ...database.options, retryAttempts: 0 }),
          EventEmitterModule.forRoot({ wildcard: true }),
          ParityModule.forRoot(options.parity),
        ],
        providers: options.providers ?? [],
      })
        .setLogger(log)
        .compile();
      await module.init();
      return new ParityApp(module, log, database.cleanup);
    } catch (error) {
      await database.cleanup();
      throw error;
    }
  }

  get parity(): ParityService {
    return this.module.get(ParityService);
  }

  get dataSource(): DataSource {
    return this.module.get(DataSource);
  }

  repository<E extends ObjectLiteral>(entity: new () => E): Repository<E> {
    return this.dataSource.getRepository(entity);
  }

  /** The events of one class since the last call. */
  taken<E>(event: new (...args: never[]) => E): E[] {
    const found = this.events.filter((one) => one instanceof event) as E[];
    this.events.splice(0);
    return found;
  }

  async stop(): Promise<void> {
    await this.module.close();
    await this.cleanup();
  }
}

export class RecordingLogger implements LoggerService {
  readonly lines: string[] = [];

  log(): void {
    // Nest's own start-up lines are of no interest.
  }
  warn(message: unknown): void {
    this.lines.push(`warn ${String(message)}`);
  }
  error(message: unknown): void {
    this.lines.push(`error ${String(message)}`);
  }
}
