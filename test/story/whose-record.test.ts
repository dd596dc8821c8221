import { setTimeout as sleep } from 'node:timers/promises';
import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import { AtpRecordEntity, AutoSyncsWithAtp, PendingSyncManager, SyncFailed } from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Owner } from '../support/entities/notebook.js';
import { Sessions } from '../support/sessions.js';
import { databaseKinds, describeDatabase, type DatabaseKind } from '../support/databases.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { textMapper } from '../support/entities/text-mapper.js';

/** The account is in a related row. */
@Entity()
@AutoSyncsWithAtp()
class Post extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() text!: string;
  @Column({ default: true }) open!: boolean;
  @ManyToOne(() => Owner) user!: Owner;

  override shouldAutoSync(): boolean {
    return this.open;
  }
}

/** The account is in a column that updates leave alone. */
@Entity()
@AutoSyncsWithAtp()
class Page extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() text!: string;
  @Column({ update: false }) did!: string;
  @Column({ default: true }) open!: boolean;

  override shouldAutoSync(): boolean {
    return this.open;
  }
}

/** The account is in a column of another name. */
@Entity()
@AutoSyncsWithAtp()
class Card extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() text!: string;
  @Column() account!: string;

  override syncAsDid(): string {
    return this.account;
  }
}

/** The account is asked for eligible rows only; it cannot be told for a row without a tenant. */
@Entity()
@AutoSyncsWithAtp()
class Tenancy extends AtpRecordEntity {
  static asked = 0;
  @PrimaryGeneratedColumn() id!: number;
  @Column() text!: string;
  @Column({ type: String, nullable: true }) tenant!: string | null;

  override shouldAutoSync(): boolean {
    return this.tenant !== null;
  }

  override syncAsDid(): string {
    Tenancy.asked += 1;
    if (this.tenant === null) throw new TypeError('There is no tenant');
    return this.tenant;
  }
}

/** The same where eligibility takes its time to tell. */
@Entity()
@AutoSyncsWithAtp()
class SlowTenancy extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() text!: string;
  @Column({ type: String, nullable: true }) tenant!: string | null;

  override async shouldAutoSync(): Promise<boolean> {
    await sleep(5);
    return this.tenant !== null;
  }

  override syncAsDid(): string {
    if (this.tenant === null) throw new TypeError('There is no tenant');
    return this.tenant;
  }
}

/** Its properties hold the keys of related rows, and the account is told by one. */
@Entity()
@AutoSyncsWithAtp({ whenNotEligible: 'unpublish' })
class Reply extends AtpRecordEntity {
  static fallback = '';
  @PrimaryGeneratedColumn() id!: number;
  @Column() text!: string;
  @Column({ type: Number, nullable: true }) threadId!: number | null;
  @ManyToOne(() => Owner) @JoinColumn({ name: 'threadId' }) thread!: Owner | null;
  @Column({ type: String, nullable: true }) accountDid!: string | null;
  @ManyToOne(() => Account) @JoinColumn({ name: 'accountDid' }) account!: Account | null;

  override syncAsDid(): string {
    return this.accountDid ?? Reply.fallback;
  }

  override shouldAutoSync(): boolean {
    return !this.threadId;
  }
}

/** The database computes the account. */
@Entity()
@AutoSyncsWithAtp()
class Mirror extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() text!: string;
  @Column({ default: true }) open!: boolean;
  @Column({ length: 80 }) account!: string;
  @Column({
    asExpression: 'account',
    generatedType: 'STORED',
    length: 80,
    nullable: true,
    insert: false,
    update: false,
  })
  did!: string;

  override shouldAutoSync(): boolean {
    return this.open;
  }
}

@Entity()
class Account {
  @PrimaryColumn() did!: string;
}

const mappers = [
  textMapper(Post, 'com.example.post'),
  textMapper(Page, 'com.example.page', 'self'),
  textMapper(Card, 'com.example.card'),
  textMapper(Tenancy, 'com.example.tenancy'),
  textMapper(SlowTenancy, 'com.example.slow'),
  textMapper(Reply, 'com.example.reply'),
  textMapper(Mirror, 'com.example.mirror'),
];

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

const places: [DatabaseKind, 'cache' | 'database'][] = [
  ['sqlite', 'cache'],
  ...databaseKinds.map((kind) => [kind, 'database'] as [DatabaseKind, 'database']),
];
for (const [database, storage] of places) {
  describeDatabase(database)(`the account of a record (${storage}, ${database})`, () => {
    const sessions = new Sessions();
    let app: ParityApp;
    let own: string;
    let victim: string;
    beforeEach(async () => {
      [own, victim] = (await Promise.all(
        ['own', 'victim'].map(async () => {
          const account = await servers.account();
          sessions.agents.set(account.did, await servers.agent(account));
          return account.did;
        }),
      )) as [string, string];
      app = await aParityApp({
        model: { entities: [Owner, Account, Post, Page, Card, Tenancy, SlowTenancy, Reply, Mirror], mappers },
        sessions,
        database,
        storage,
        pendingSyncs: { autoRetry: true },
      });
      await app.repository(Owner).save([
        { id: 1, did: own },
        { id: 2, did: victim },
      ]);
    });
    afterEach(() => app.stop());

    const of = async (did: string, collection: string): Promise<unknown[]> =>
      (await servers.network.listRecords(did, collection)).map(({ value }) => value['text']);
    /** Of both accounts, and what is pending in the other one's. */
    const records = async (collection: string): Promise<unknown> => ({
      own: await of(own, collection),
      victim: await of(victim, collection),
      pending: await app.module.get(PendingSyncManager).forDid(victim),
    });
    const only = (text: string): unknown => ({ own: [text], victim: [], pending: [] });

    it.each([true, false])(
      'comes from the related row, whatever a caller merged into the instance (published: %s)',
      async (open) => {
        const posts = app.repository(Post);
        const post = await posts.save(posts.create({ text: 'a', open, user: { id: 1, did: own } }));
        const body = { text: 'b', open: true, did: victim, user: { id: 1, did: victim } };
        await posts.save(posts.merge(post, body as never));
        expect(await records('com.example.post')).toEqual(only('b'));
        await posts.save(posts.create({ text: 'c', user: { id: 1, did: victim } }));
        expect(await of(victim, 'com.example.post')).toEqual([]);
      },
    );

    it('comes from the row, whatever a caller set on the instance', async () => {
      const posts = app.repository(Post);
      const post = posts.create({ text: 'a', user: { id: 1, did: own } });
      await posts.save(Object.assign(post, { did: victim }));
      expect(await records('com.example.post')).toEqual(only('a'));
    });

    it('comes from the row, where an update does not write the column', async () => {
      const pages = app.repository(Page);
      await sessions.agents.get(victim)!.com.atproto.repo.putRecord({
        repo: victim,
        collection: 'com.example.page',
        rkey: 'self',
        record: { $type: 'com.example.page', text: 'theirs' },
      });
      const page = await pages.save(pages.create({ text: 'a', did: own, open: false }));
      await pages.save(Object.assign(page, { text: 'b', did: victim, open: true }));
      expect(await of(own, 'com.example.page')).toEqual(['b']);
      await pages.remove(page);
      expect([await of(own, 'com.example.page'), await of(victim, 'com.example.page')]).toEqual([
        [],
        ['theirs'],
      ]);
    });

    it('is the one that was written, whatever changes on the instance before the commit', async () => {
      await app.dataSource.transaction(async (manager) => {
        const card = await manager.save(manager.create(Card, { text: 'a', account: own }));
        Object.assign(card, { account: victim });
      });
      expect(await records('com.example.card')).toEqual(only('a'));
    });

    it.each([
      ['the key', (did: string) => ({ accountDid: did })],
      ['the row', (did: string) => ({ account: { did } })],
    ])('comes from the key of a related row (%s is given)', async (_what, given) => {
      Reply.fallback = victim;
      sessions.revoke(victim);
      await app.repository(Account).save([{ did: own }, { did: victim }]);
      const replies = app.repository(Reply);
      const reply = await replies.save(replies.create({ text: 'a', ...given(own) }));
      expect(reply.getAtpDid()).toBe(own);
      expect(await records('com.example.reply')).toEqual(only('a'));
      sessions.revoke(own);
      await replies.save(Object.assign(reply, { threadId: 1 })).catch(() => undefined);
      expect(await app.module.get(PendingSyncManager).forDid(own)).toEqual([
        expect.objectContaining({ operation: 'unpublish' }),
      ]);
    });

    it('is the one that the database computes', async () => {
      const mirrors = app.repository(Mirror);
      const mirror = await mirrors.save(mirrors.create({ text: 'a', account: victim, open: false }));
      sessions.revoke(victim);
      await mirrors.save(Object.assign(mirror, { account: own, open: true }));
      expect(await records('com.example.mirror')).toEqual(only('a'));
    });

    it('is not reported as unknown for an entity that turns out not to be eligible', async () => {
      const rows = app.repository(SlowTenancy);
      const row = await rows.save(rows.create({ text: 'a', tenant: null }));
      await rows.save(Object.assign(row, { text: 'b' }));
      await rows.remove(row);
      expect(app.taken(SyncFailed)).toEqual([]);
      expect(app.log.lines).toEqual([]);
    });

    it('is not asked for an entity that is not eligible', async () => {
      const rows = app.repository(Tenancy);
      Tenancy.asked = 0;
      const row = await rows.save(rows.create({ text: 'a', tenant: null }));
      expect(Tenancy.asked).toBe(0);
      await rows.save(Object.assign(row, { text: 'b' }));
      await rows.remove(row);
      expect(app.taken(SyncFailed)).toEqual([]);
      expect(app.log.lines).toEqual([]);
    });
  });
}
