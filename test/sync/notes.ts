import type { AtpAgent } from '@atproto/api';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import {
  AppPasswordSessionProvider,
  AtpRecordEntity,
  AutoSyncsWithAtp,
  RecordMapper,
  type EntityClass,
  type ParityOptions,
} from 'nestjs-parity';
import type { Account, LocalNetwork } from 'nestjs-parity/testing';
import { FaultProxy } from '../support/fault-proxy.js';
import { ParityApp, type ParityAppOptions } from '../support/parity-app.js';
import { sharedNetwork } from '../support/shared-network.js';

abstract class Note extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() text!: string;
}

/** Overwrites what others did; the default. */
@Entity()
@AutoSyncsWithAtp()
export class Bold extends Note {}

/** Leaves what others did alone. */
@Entity()
@AutoSyncsWithAtp({ onConflict: 'fail' })
export class Careful extends Note {}

/** Each has the one record key 'self', which another app may have used. */
@Entity()
@AutoSyncsWithAtp({ onConflict: 'overwrite' })
export class BoldProfile extends Note {}
@Entity()
@AutoSyncsWithAtp({ onConflict: 'fail' })
export class CarefulProfile extends Note {}

const mapperOf = (entity: EntityClass<Note>, collection: string) =>
  class NoteMapper extends RecordMapper<Note> {
    readonly entity = entity;
    readonly collection = collection;
    toRecord({ text }: Note): Record<string, unknown> {
      return { text };
    }
  };
const profileMapperOf = (entity: EntityClass<Note>, collection: string) =>
  class ProfileMapper extends mapperOf(entity, collection) {
    override rkey(): string {
      return 'self';
    }
  };

const mappers = [
  mapperOf(Bold, 'com.example.bold'),
  mapperOf(Careful, 'com.example.careful'),
  profileMapperOf(BoldProfile, 'com.example.bold'),
  profileMapperOf(CarefulProfile, 'com.example.careful'),
];

/** A PDS behind a proxy, an account, and applications that write to it. */
export class NoteNetwork {
  private readonly apps: ParityApp[] = [];

  private constructor(
    readonly network: LocalNetwork,
    readonly proxy: FaultProxy,
    readonly account: Account,
    /** Another app of the account's owner. */
    readonly other: AtpAgent,
  ) {}

  static async start(): Promise<NoteNetwork> {
    const proxy = await FaultProxy.start();
    const network = await sharedNetwork();
    proxy.target = network.pdsUrl;
    proxy.takesSessions = true;
    const account = await network.createAccount({ handle: 'alice.test' });
    return new NoteNetwork(network, proxy, account, await network.agent(account));
  }

  async app(options: ParityOptions = {}, more: Partial<ParityAppOptions> = {}): Promise<ParityApp> {
    const app = await ParityApp.start({
      entities: [Bold, Careful, BoldProfile, CarefulProfile],
      parity: this.parity(options),
      ...more,
    });
    this.apps.push(app);
    return app;
  }

  /** Options of the module for an application that writes as the account. */
  parity(options: ParityOptions): ParityAppOptions['parity'] {
    const accounts = [{ identifier: this.account.did, password: this.account.password }];
    const sessions = new AppPasswordSessionProvider({ service: this.proxy.url, accounts });
    return { ...options, sessions, mappers };
  }

  note<E extends Note>(type: new () => E, text: string): E {
    return Object.assign(new type(), { did: this.account.did, text });
  }

  /** What is at the PDS. */
  async text(uri: string | null): Promise<unknown> {
    return uri === null ? undefined : (await this.network.getRecord(uri))?.value['text'];
  }

  /** What another app does to a record. */
  async meddle(uri: string, text: string | null): Promise<void> {
    const [repo = '', collection = '', rkey = ''] = uri.slice('at://'.length).split('/');
    if (text === null) await this.other.com.atproto.repo.deleteRecord({ repo, collection, rkey });
    else
      await this.other.com.atproto.repo.putRecord({
        repo,
        collection,
        rkey,
        record: { text },
        validate: false,
      });
  }

  async stop(): Promise<void> {
    for (const app of this.apps) await app.stop();
    await this.proxy.stop();
  }
}
