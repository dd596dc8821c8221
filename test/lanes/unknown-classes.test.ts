import { Column, Entity, ManyToOne, PrimaryGeneratedColumn } from 'typeorm';
import {
  AtpMapper,
  AtpRecordEntity,
  AutoSyncsWithAtp,
  parityEntities,
  PendingSyncDiscarded,
  PendingSyncManager,
  RecordMapper,
  type ParityModuleExtras,
} from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Card, Note, notebook, Owner, Profile } from '../support/entities/notebook.js';
import { Sessions } from '../support/sessions.js';
import {
  databaseKinds,
  describeDatabase,
  freshDataSource,
  type DatabaseKind,
  type FreshDatabase,
} from '../support/databases.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { until } from '../support/until.js';
import { partsOf } from '../support/pending-parts.js';

/** What another deployment calls a Note. */
@Entity('note')
@AutoSyncsWithAtp({ onConflict: 'overwrite' })
class Jotting extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() text!: string;
  @ManyToOne(() => Owner, { nullable: false }) user!: Owner;
}

@AtpMapper()
class JottingMapper extends RecordMapper<Jotting> {
  readonly entity = Jotting;
  readonly collection = 'com.example.note';
  override readonly relations = { user: true };

  toRecord({ text }: Jotting): Record<string, unknown> {
    return { text };
  }
}

type Mappers = NonNullable<ParityModuleExtras['mappers']>;

const all = [...notebook.entities, ...parityEntities];
const onlyCards = [Owner, Card, ...parityEntities];
const onlyNotes = [Owner, Note, ...parityEntities];

/** Processes with different entities, on one database and for the same accounts. */
class Processes implements AsyncDisposable {
  readonly sessions = new Sessions();
  readonly dids: string[] = [];
  private readonly apps = new Set<ParityApp>();

  private constructor(
    readonly servers: FaultyNetwork,
    private readonly database: FreshDatabase,
  ) {}

  static async on(servers: FaultyNetwork, kind: DatabaseKind, accounts = 1): Promise<Processes> {
    const processes = new Processes(servers, await freshDataSource(kind, all));
    for (let count = 0; count < accounts; count++) {
      const account = await processes.servers.account();
      processes.sessions.agents.set(account.did, await processes.servers.agent(account));
      processes.dids.push(account.did);
    }
    return processes;
  }

  /** @param works whether it works on lanes, too; otherwise it captures what is saved, and no more */
  async start(entities: readonly unknown[], { works = true, mappers = notebook.mappers as Mappers } = {}) {
    const options = { ...this.database.options, entities, synchronize: entities === all };
    const app = await aParityApp({
      model: { entities: [], mappers },
      sessions: this.sessions,
      database: { ...this.database, options: options as FreshDatabase['options'] },
      mode: 'background',
      storage: 'database',
      pendingSyncs: { autoRetry: true },
    });
    this.apps.add(app);
    if (!works) await partsOf(app.module).loop.stop();
    return app;
  }

  async stop(app: ParityApp): Promise<void> {
    this.apps.delete(app);
    await app.stop();
  }

  /** What the ledger keeps of the lane of the first account. */
  async lane(app: ParityApp): Promise<{ token: number; isReady: boolean }> {
    const rows: { token: number | string; ready_at: unknown; leased: boolean | number }[] =
      await app.dataSource.query(
        `SELECT token, ready_at, leased FROM parity_lane WHERE did = '${this.dids[0]}'`,
      );
    const [{ token, ready_at, leased } = { token: 0, ready_at: null, leased: true }] = rows;
    return { token: Number(token), isReady: ready_at !== null && !leased };
  }

  /** The texts of the records of an account, sorted. */
  async texts(collection: string, did = this.dids[0]!): Promise<unknown[]> {
    const records = await this.servers.network.listRecords(did, `com.example.${collection}`);
    return records.map(({ value }) => value['text']).toSorted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const app of this.apps) await app.stop();
    await this.database.cleanup();
  }
}

let servers: FaultyNetwork;

beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

const warnings = ({ log }: ParityApp): string[] =>
  log.lines.filter((line) => line.includes('left to other processes'));

for (const kind of databaseKinds) {
  describeDatabase(kind)(`an entity class that a process does not know (${kind})`, () => {
    it('is left to the process that knows it: two services on one database publish their own entities', async () => {
      await using processes = await Processes.on(servers, kind);
      const [did = ''] = processes.dids;
      const web = await processes.start(all, { works: false });
      const user = await web.repository(Owner).save({ id: 1, did });
      for (let index = 0; index < 3; index++) {
        await web.repository(Note).save(web.repository(Note).create({ text: `note ${index}`, user }));
        const card = web.repository(Card).create({ deck: 'a', place: index, text: `card ${index}`, user });
        await web.repository(Card).save(card);
      }
      const services = [await processes.start(onlyCards), await processes.start(onlyNotes)];
      await until(async () => !(await web.parity.hasPendingSyncs(did)), 30_000);
      expect(await processes.texts('note')).toEqual(['note 0', 'note 1', 'note 2']);
      expect(await processes.texts('card')).toEqual(['card 0', 'card 1', 'card 2']);
      for (const { events } of services)
        expect(events.filter((event) => event instanceof PendingSyncDiscarded)).toEqual([]);
    });

    it('keeps its account awake for the process that knows it, without using up attempts or being read again', async () => {
      await using processes = await Processes.on(servers, kind);
      const [did = ''] = processes.dids;
      const web = await processes.start(all, { works: false });
      const user = await web.repository(Owner).save({ id: 1, did });
      const notes = Array.from({ length: 3 }, (_, index) => ({ text: `note ${index}`, user }));
      await web.repository(Note).save(web.repository(Note).create(notes));
      await web
        .repository(Card)
        .save(web.repository(Card).create({ deck: 'a', place: 1, text: 'card', user }));

      const worker = await processes.start(onlyCards);
      await until(
        async () => (await web.parity.countPendingSyncs(did)) === 3 && (await processes.lane(web)).isReady,
      );
      expect(await processes.texts('card')).toEqual(['card']);
      expect(warnings(worker)).toEqual([expect.stringContaining("'note'")]);
      const { token } = await processes.lane(web);
      // What it knows goes on, and what it does not know costs it nothing.
      for (let look = 0; look < 5; look++) await partsOf(worker.module).loop['look']();
      expect((await processes.lane(web)).token).toBe(token);
      const card = await web.repository(Card).findOneByOrFail({ deck: 'a' });
      await web.repository(Card).save(Object.assign(card, { text: 'edited' }));
      await until(async () => (await processes.texts('card'))[0] === 'edited');
      await until(async () => (await processes.lane(web)).isReady);
      expect(warnings(worker)).toHaveLength(1);
      expect(await web.module.get(PendingSyncManager).forDid(did)).toEqual(
        notes.map(
          () => expect.objectContaining({ entityName: 'Note', attempts: 0, lastError: null }) as object,
        ),
      );
      expect(worker.events.filter((event) => event instanceof PendingSyncDiscarded)).toEqual([]);

      const next = await processes.start(all);
      await until(async () => !(await next.parity.hasPendingSyncs(did)));
      expect(await processes.texts('note')).toEqual(['note 0', 'note 1', 'note 2']);
    });

    it('holds up no other account', async () => {
      await using processes = await Processes.on(servers, kind, 3);
      const web = await processes.start(all, { works: false });
      for (let index = 0; index < 30; index++) {
        const user = await web.repository(Owner).save({ id: 10 + index, did: `did:plc:other${index}` });
        await web.repository(Note).save(web.repository(Note).create({ text: 'note', user }));
      }
      for (const [id, did] of processes.dids.entries()) {
        const user = await web.repository(Owner).save({ id, did });
        const card = web.repository(Card).create({ deck: 'a', place: id, text: 'card', user });
        await web.repository(Card).save(card);
      }
      await processes.start(onlyCards);
      for (const did of processes.dids)
        await until(async () => (await processes.texts('card', did)).length === 1, 30_000);
      expect(await web.parity.countPendingSyncs('did:plc:other0')).toBe(1);
    });

    it('is not needed if the row is gone: its record is deleted by its address', async () => {
      await using processes = await Processes.on(servers, kind);
      const [did = ''] = processes.dids;
      const web = await processes.start(all);
      const user = await web.repository(Owner).save({ id: 1, did });
      const [gone] = await web
        .repository(Note)
        .save(web.repository(Note).create(['gone', 'stays'].map((text) => ({ text, user }))));
      await until(async () => (await processes.texts('note')).length === 2);
      await until(async () => !(await web.parity.hasPendingSyncs(did)));
      await partsOf(web.module).loop.stop();
      const { atpUri: uri } = await web.repository(Note).findOneByOrFail({ id: gone!.id });
      await web.repository(Note).remove(gone!);
      const worker = await processes.start(onlyCards);
      await until(async () => !(await web.parity.hasPendingSyncs(did)));
      expect(await processes.texts('note')).toEqual(['stays']);
      expect(worker.events).toContainEqual(expect.objectContaining({ entityName: 'note', uri }));
    });

    it('is not needed if the row is gone and its record stays', async () => {
      await using processes = await Processes.on(servers, kind);
      const [did = ''] = processes.dids;
      const web = await processes.start(all);
      const user = await web.repository(Owner).save({ id: 1, did });
      const note = await web.repository(Note).save(web.repository(Note).create({ text: 'stays', user }));
      await until(async () => (await processes.texts('note')).length === 1);
      await until(async () => !(await web.parity.hasPendingSyncs(did)));
      await partsOf(web.module).loop.stop();
      await web.repository(Note).remove(note);
      // As shouldAutoUnsync() would have it.
      await web.dataSource.query('UPDATE parity_ledger SET keep_record = TRUE');
      await processes.start(onlyCards);
      await until(async () => !(await web.parity.hasPendingSyncs(did)));
      expect(await processes.texts('note')).toEqual(['stays']);
    });

    it('is needed if a fixed record key may be that of another row', async () => {
      await using processes = await Processes.on(servers, kind);
      const [did = ''] = processes.dids;
      const web = await processes.start(all);
      const profile = web.repository(Profile).create({ did, text: 'me', open: true });
      await web.repository(Profile).save(profile);
      await until(async () => (await processes.texts('profile')).length === 1);
      await until(async () => !(await web.parity.hasPendingSyncs(did)));
      await partsOf(web.module).loop.stop();
      await web.repository(Profile).remove(profile);
      const worker = await processes.start(onlyCards);
      await until(() => warnings(worker).length === 1);
      expect(await processes.texts('profile')).toEqual(['me']);
      const next = await processes.start(all);
      await until(async () => !(await next.parity.hasPendingSyncs(did)));
      expect(await processes.texts('profile')).toEqual([]);
    });

    it('is needed if the row exists: a record that moves is left to a process that knows it', async () => {
      await using processes = await Processes.on(servers, kind, 2);
      const [did = '', other = ''] = processes.dids;
      const web = await processes.start(all);
      const [from, to] = await web.repository(Owner).save([did, other].map((one, id) => ({ id, did: one })));
      const note = await web
        .repository(Note)
        .save(web.repository(Note).create({ text: 'moves', user: from! }));
      await until(async () => (await processes.texts('note')).length === 1);
      await until(async () => !(await web.parity.hasPendingSyncs(did)));
      await processes.stop(web);

      const capturing = await processes.start(all, { works: false });
      await capturing.repository(Note).save({ id: note.id, user: to! });
      await capturing
        .repository(Card)
        .save(capturing.repository(Card).create({ deck: 'a', place: 1, text: 'card', user: from! }));
      await processes.start(onlyCards);
      await until(async () => (await processes.texts('card')).length === 1);
      expect(await processes.texts('note')).toEqual(['moves']);

      await processes.start(all);
      await until(async () => (await processes.texts('note', other)).length === 1);
      await until(async () => (await processes.texts('note')).length === 0);
    });

    it('is stored under the name of its table, whatever its name elsewhere', async () => {
      await using processes = await Processes.on(servers, kind);
      const [did = ''] = processes.dids;
      const before = await processes.start(all, { works: false });
      const user = await before.repository(Owner).save({ id: 1, did });
      await before.repository(Note).save(before.repository(Note).create({ text: 'kept', user }));
      await processes.stop(before);
      const after = await processes.start([Owner, Jotting, ...parityEntities], { mappers: [JottingMapper] });
      await until(async () => !(await after.parity.hasPendingSyncs(did)));
      expect(await processes.texts('note')).toEqual(['kept']);
      expect(after.events.map((event) => event.constructor.name)).not.toContain('PendingSyncDiscarded');
    });
  });
}
