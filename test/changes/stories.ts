import {
  Column,
  Entity,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  UpdateDateColumn,
  VersionColumn,
} from 'typeorm';
import { AtpRecordEntity, AutoSyncsWithAtp, RecordMapper } from 'nestjs-parity';
import type { Account, LocalNetwork } from 'nestjs-parity/testing';
import type { DatabaseKind } from '../support/databases.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { sharedNetwork } from '../support/shared-network.js';
import { passwordsOf } from '../support/sessions.js';

abstract class Owned extends AtpRecordEntity {
  @Column({ default: '' }) did!: string;
  @Column({ default: '' }) text!: string;
  @Column({ default: true }) isPublic!: boolean;
  @VersionColumn() version!: number;
  @UpdateDateColumn() updatedAt!: Date;

  override shouldAutoSync(): boolean {
    return this.isPublic;
  }
}

/** Keeps its record when it is not public any more, and in the account where it was published first. */
@Entity()
@AutoSyncsWithAtp()
export class Story extends Owned {
  @PrimaryGeneratedColumn() id!: number;
}

@Entity()
@AutoSyncsWithAtp({ whenNotEligible: 'unpublish', followOwner: true })
export class Rumour extends Owned {
  /** What the answer of syncAsDid() has to wait for. */
  static asked: Promise<void> | undefined;
  @PrimaryGeneratedColumn() id!: number;

  override async syncAsDid(): Promise<string> {
    await Rumour.asked;
    return this.did;
  }
}

/** One per account, at a fixed key. */
@Entity()
@AutoSyncsWithAtp({ onConflict: 'fail' })
export class Profile extends Owned {
  @PrimaryColumn() name!: string;
}

@Entity()
@AutoSyncsWithAtp()
export class Fragile extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() fault!: 'mapper' | 'did' | '';
  override syncAsDid(): string {
    if (this.fault === 'did') throw new Error('no such account');
    return 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa';
  }
}

const toRecord = ({ text }: Owned): Record<string, unknown> => ({ text });

class StoryMapper extends RecordMapper<Story> {
  readonly entity = Story;
  readonly collection = 'com.example.story';
  toRecord = toRecord;
}
class RumourMapper extends RecordMapper<Rumour> {
  readonly entity = Rumour;
  readonly collection = 'com.example.rumour';
  toRecord = toRecord;
}
class ProfileMapper extends RecordMapper<Profile> {
  readonly entity = Profile;
  readonly collection = 'com.example.profile';
  toRecord = toRecord;
  override rkey(): string {
    return 'self';
  }
}
class FragileMapper extends RecordMapper<Fragile> {
  readonly entity = Fragile;
  readonly collection = 'com.example.fragile';
  toRecord({ fault }: Fragile): Record<string, unknown> {
    if (fault === 'mapper') throw new Error('out of words');
    return {};
  }
}

/** A PDS behind a proxy that counts and delays, with two accounts. */
export class StoryNetwork {
  private constructor(
    readonly network: LocalNetwork,
    readonly proxy: FaultProxy,
    readonly alice: Account,
    readonly bob: Account,
  ) {}

  static async start(): Promise<StoryNetwork> {
    const proxy = await FaultProxy.start();
    const network = await sharedNetwork();
    proxy.target = network.pdsUrl;
    proxy.takesSessions = true;
    const alice = await network.createAccount({ handle: 'alice.test' });
    const bob = await network.createAccount({ handle: 'bob.test' });
    return new StoryNetwork(network, proxy, alice, bob);
  }

  app(database: DatabaseKind): Promise<ParityApp> {
    return aParityApp({
      model: {
        entities: [Story, Rumour, Profile, Fragile],
        mappers: [StoryMapper, RumourMapper, ProfileMapper, FragileMapper],
      },
      sessions: passwordsOf(this.proxy.url, this.alice, this.bob),
      database,
    });
  }

  async texts(account: Account, collection: string): Promise<unknown[]> {
    const records = await this.network.listRecords(account.did, `com.example.${collection}`);
    return records.map(({ value }) => value['text']);
  }

  async text(uri: string | null): Promise<unknown> {
    return uri === null ? null : ((await this.network.getRecord(uri))?.value['text'] ?? null);
  }

  /** Holds the next write back until it is released. */
  holdWrite(): { arrived: Promise<void>; release: () => void } {
    const arrived = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.proxy.fault('com.atproto.repo.applyWrites', async (exchange) => {
      arrived.resolve();
      await released.promise;
      exchange.respond(await exchange.forward());
    });
    return { arrived: arrived.promise, release: () => released.resolve() };
  }

  async stop(): Promise<void> {
    await this.proxy.stop();
  }
}
