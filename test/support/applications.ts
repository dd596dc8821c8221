import { EventEmitterModule } from '@nestjs/event-emitter';
import { Test, type TestingModule } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { ModuleMetadata } from '@nestjs/common';
import type { Agent } from '@atproto/api';
import { SessionProvider } from 'nestjs-parity';
import { freshDataSource, type Entities } from './databases.js';
import { Note } from './entities/note.js';
import { RecordingLogger } from './parity-app.js';

/** Remembers for whom an agent was asked, and gives none. */
export class NoSessions extends SessionProvider {
  readonly asked: string[] = [];

  override async agentFor(did: string): Promise<Agent> {
    this.asked.push(did);
    throw new Error('no network in this test');
  }
}

export interface Setup extends Pick<ModuleMetadata, 'providers'> {
  readonly parity: NonNullable<ModuleMetadata['imports']>;
  readonly entities?: Entities;
  /** Instead of the one SQLite database and the event emitter. */
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
}

/** Starts applications and stops all of them after each test. */
export class Applications {
  private readonly started: (() => Promise<void>)[] = [];
  readonly log = new RecordingLogger();

  constructor() {
    afterEach(() => this.stopAll());
  }

  async start({ parity, entities = [Note], imports, providers = [] }: Setup): Promise<TestingModule> {
    this.log.lines.length = 0;
    const surroundings = imports ?? [await sqlite(entities), EventEmitterModule.forRoot()];
    const builder = Test.createTestingModule({ imports: [...parity, ...surroundings], providers });
    const module = await builder.setLogger(this.log).compile();
    this.started.push(() => module.close());
    return module.init();
  }

  async stopAll(): Promise<void> {
    for (const stop of this.started.splice(0).toReversed()) await stop().catch(() => undefined);
  }
}

/** A SQLite database in memory, as an import of an application. */
export async function sqlite(
  entities: Entities,
  name?: string,
): Promise<ReturnType<typeof TypeOrmModule.forRoot>> {
  const { options } = await freshDataSource('sqlite', entities, { database: ':memory:' });
  return TypeOrmModule.forRoot({ ...options, ...(name !== undefined && { name }), retryAttempts: 0 });
}
