import 'reflect-metadata';
import { Agent, AtpAgent } from '@atproto/api';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  AtpMapper,
  AutoSyncsWithAtp,
  OAuthSessionInvalidError,
  ParityModule,
  RecordMapper,
  SessionProvider,
  withAtpRecord,
  type ParityModuleOptions,
} from 'nestjs-parity';
import { LocalNetwork, type Account } from 'nestjs-parity/testing';
import {
  Column,
  CreateDateColumn,
  DataSource,
  Entity,
  PrimaryGeneratedColumn,
  UpdateDateColumn,
  type DataSourceOptions,
} from 'typeorm';

/** The columns of an ordinary post of a blog. */
abstract class Content {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column({ default: 'A title' }) title!: string;
  @Column({ default: 'a-title' }) slug!: string;
  @Column() content!: string;
  @Column({ default: '' }) excerpt!: string;
  @Column({ default: 'en' }) language!: string;
  @Column({ default: 'published' }) status!: string;
  @Column({ default: 0 }) views!: number;
  @CreateDateColumn() createdAt!: Date;
  @UpdateDateColumn() updatedAt!: Date;
}

@Entity('bench_plain')
export class Plain extends Content {}

/** The table of {@link Note}, as an application without the module would have it. */
@Entity('bench_bare')
export class Bare extends withAtpRecord(Content) {}

@Entity('bench_note')
@AutoSyncsWithAtp()
export class Note extends withAtpRecord(Content) {}

@AtpMapper()
class NoteMapper extends RecordMapper<Note> {
  readonly entity = Note;
  readonly collection = 'com.example.note';

  toRecord(note: Note): Record<string, unknown> {
    return { title: note.title, content: note.content, language: note.language };
  }
}

/** Nobody is signed in, so nothing that is captured is tried. */
export class NoSessions extends SessionProvider {
  override async agentFor(did: string): Promise<Agent> {
    throw new OAuthSessionInvalidError(`No session for ${did}.`, { did });
  }
}

/** One logged-in agent, which counts what it sends. */
export class CountingSessions extends SessionProvider {
  requests = 0;
  private constructor(
    readonly account: Account,
    readonly agent: Agent,
  ) {
    super();
  }

  static async start(network: LocalNetwork, handle: string): Promise<CountingSessions> {
    const account = await network.createAccount({ handle });
    let sessions: CountingSessions | undefined;
    const agent = new AtpAgent({
      service: network.pdsUrl,
      fetch: (input, init) => {
        if (sessions) sessions.requests += 1;
        return globalThis.fetch(input, init);
      },
    });
    await agent.login({ identifier: account.did, password: account.password });
    sessions = new CountingSessions(account, agent as unknown as Agent);
    return sessions;
  }

  override async agentFor(did: string): Promise<Agent> {
    if (did !== this.account.did) throw new OAuthSessionInvalidError(`No session for ${did}.`, { did });
    return this.agent;
  }
}

export const entities = [Plain, Bare, Note];

/** An application with the module on a database of its own. */
export async function application(
  database: DataSourceOptions,
  parity: ParityModuleOptions,
): Promise<{ app: INestApplicationContext; dataSource: DataSource }> {
  @Module({
    imports: [
      TypeOrmModule.forRoot(database),
      EventEmitterModule.forRoot(),
      ParityModule.forRoot({ ...parity, mappers: [NoteMapper] }),
    ],
  })
  class BenchModule {}
  const app = await NestFactory.createApplicationContext(BenchModule, { logger: false });
  return { app, dataSource: app.get(DataSource) };
}
