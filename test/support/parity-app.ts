import { EventEmitterModule, EventEmitter2 } from '@nestjs/event-emitter';
import { Test, type TestingModule } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { LoggerService, ModuleMetadata } from '@nestjs/common';
import { DataSource, type ObjectLiteral, type Repository } from 'typeorm';
import {
  ParityModule,
  ParityService,
  type ParityModuleExtras,
  type ParityModuleOptions,
} from 'nestjs-parity';
import {
  freshDataSource,
  type DatabaseKind,
  type Entities,
  type ExtraOptions,
  type FreshDatabase,
} from './databases.js';

export interface ParityAppOptions {
  readonly entities: Entities;
  readonly parity: ParityModuleOptions & ParityModuleExtras;
  /** A kind of database: an empty one, removed at the end. Or one that outlives the application. */
  readonly database?: DatabaseKind | FreshDatabase;
  readonly dataSource?: ExtraOptions;
  readonly imports?: ModuleMetadata['imports'];
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
          ...(options.imports ?? []),
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
