import 'reflect-metadata';
import { Agent, AtpAgent } from '@atproto/api';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  AtpMapper,
  AtpRecordEntity,
  AutoSyncsWithAtp,
  OAuthSessionInvalidError,
  ParityModule,
  RecordMapper,
  SessionProvider,
  type ParityModuleOptions,
} from 'nestjs-parity';
import { LocalNetwork, type Account } from 'nestjs-parity/testing';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, type DataSourceOptions } from 'typeorm';

@Entity('bench_plain')
export class Plain {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() content!: string;
  @Column({ default: 0 }) views!: number;
}

/** The same table with record columns, as an application without the module would have it. */
@Entity('bench_bare')
export class Bare extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() content!: string;
  @Column({ default: 0 }) views!: number;
}

@Entity('bench_note')
@AutoSyncsWithAtp()
export class Note extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() content!: string;
  @Column({ default: 0 }) views!: number;
}

@AtpMapper()
class NoteMapper extends RecordMapper<Note> {
  readonly entity = Note;
  readonly collection = 'com.example.note';

  toRecord(note: Note): Record<string, unknown> {
    return { content: note.content };
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
