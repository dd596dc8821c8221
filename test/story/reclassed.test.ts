import {
  ChildEntity,
  Column,
  Entity,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
} from 'typeorm';
import { AtpRecordEntity, AutoSyncsWithAtp } from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';
import { textMapper } from '../support/entities/text-mapper.js';

@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'kind' } })
@AutoSyncsWithAtp()
class Thing extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() text!: string;
}
@ChildEntity('note')
@AutoSyncsWithAtp()
class Note extends Thing {}
@ChildEntity('card')
@AutoSyncsWithAtp()
class Card extends Thing {}

abstract class Page extends AtpRecordEntity {
  @PrimaryColumn() id!: number;
  @Column() did!: string;
  @Column() text!: string;
}
@Entity()
@AutoSyncsWithAtp()
class OldPage extends Page {}
@Entity()
@AutoSyncsWithAtp()
class NewPage extends Page {}

const mappers = [
  textMapper(Note, 'com.example.note'),
  textMapper(Card, 'com.example.card'),
  textMapper(OldPage, 'com.example.page'),
  textMapper(NewPage, 'com.example.page'),
];

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

for (const kind of databaseKinds) {
  describeDatabase(kind)(`rows to which a migration has given another class (${kind})`, () => {
    let app: ParityApp;
    let did: string;
    let sessions: Awaited<ReturnType<typeof signedIn>>['sessions'];
    beforeEach(async () => {
      ({ did, sessions } = await signedIn(servers));
      app = await aParityApp({
        model: { entities: [Thing, Note, Card, OldPage, NewPage], mappers },
        sessions,
        database: kind,
        storage: 'database',
        pendingSyncs: { autoRetry: true },
      });
    });
    afterEach(() => app.stop());

    const records = async (collection: string): Promise<unknown[]> =>
      (await servers.network.listRecords(did, collection)).map(({ value }) => value['text']);
    const isDone = async (): Promise<boolean> => !(await app.parity.hasPendingSyncs(did));

    it('get the pending edit in the collection of that class', async () => {
      const notes = app.repository(Note);
      const note = await notes.save(notes.create({ did, text: 'a' }));
      sessions.revoke(did);
      await notes.save(Object.assign(note, { text: 'edited' })).catch(() => undefined);
      await app.dataSource.query("UPDATE thing SET kind = 'card'");
      sessions.signIn(did);
      await app.parity.sessionAvailable(did);
      await until(isDone);
      expect([await records('com.example.note'), await records('com.example.card')]).toEqual([
        [],
        ['edited'],
      ]);
    });

    it('keep their records through a reconciliation where they moved to another table', async () => {
      const pages = app.repository(OldPage);
      await pages.save(pages.create({ id: 1, did, text: 'a' }));
      const { columns } = app.dataSource.getMetadata(OldPage);
      const names = columns.map(({ databaseName }) => app.dataSource.driver.escape(databaseName)).join(', ');
      await app.dataSource.query(`INSERT INTO new_page (${names}) SELECT ${names} FROM old_page`);
      await app.dataSource.query('DELETE FROM old_page');
      expect(await app.parity.reconcile(OldPage)).toMatchObject({ deletes: 0, gone: 0 });
      await until(isDone);
      expect(await records('com.example.page')).toEqual(['a']);
    });
  });
}
