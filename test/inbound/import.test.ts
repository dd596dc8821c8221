import { AccountImported, RecordApplied, RecordRemoved } from 'nestjs-parity';
import { Clipping, clippings, memoModel, type MemoBase } from '../support/entities/memo.js';
import { together } from '../support/entities/model.js';
import { InboundStage } from '../support/inbound-stage.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import type { ParityApp } from '../support/parity-app.js';

const MEMO = 'com.example.memo';

describe.each(databaseKinds)('On %s', (database) => {
  describeDatabase(database)('importing an account', () => {
    let stage: InboundStage;
    let app: ParityApp;
    const { Memo, ...model } = memoModel();
    const memos = () => app.repository<MemoBase>(Memo);

    beforeEach(async () => {
      stage = await InboundStage.start();
      app = await stage.app({ model: together(model, clippings), database });
    });
    afterEach(() => stage.stop());

    it('makes a row of each record, and none of a record that the mapper does not want', async () => {
      const { uri, cid } = await stage.put(MEMO, 'one', { text: 'Hello', mood: 'glad' });
      await stage.put('com.example.clipping', 'a', { text: 'A clipping' });
      await stage.put('com.example.clipping', 'b', { text: 'private' });
      const report = await app.parity.import(stage.did);
      expect(report).toMatchObject({ created: 2, skipped: 1, status: 'active', isUnchanged: false });
      const [memo] = await memos().find();
      expect(memo).toMatchObject({
        did: stage.did,
        text: 'Hello',
        mood: 'glad',
        atpUri: uri,
        atpCid: cid,
        atpRkey: 'one',
      });
      expect(await app.repository(Clipping).find()).toMatchObject([{ text: 'A clipping' }]);
      expect(app.taken(RecordApplied)).toMatchObject([{ live: false }, { live: false }]);
    });

    it('does nothing more for an unchanged repository', async () => {
      await stage.put(MEMO, 'one', { text: 'Hello' });
      await app.parity.import(stage.did);
      app.taken(AccountImported);
      const again = await app.parity.import(stage.did);
      expect(again).toMatchObject({ isUnchanged: true, created: 0, updated: 0, unchanged: 1 });
      expect(app.taken(RecordApplied)).toEqual([]);
    });

    it('takes over edits, deletions and new records, and publishes nothing because of them', async () => {
      await stage.put(MEMO, 'one', { text: 'One' });
      await stage.put(MEMO, 'two', { text: 'Two' });
      await app.parity.import(stage.did);
      await stage.put(MEMO, 'one', { text: 'One, edited' });
      await stage.delete(MEMO, 'two');
      await stage.put(MEMO, 'three', { text: 'Three' });
      app.taken(RecordApplied);
      const commits = (await stage.network.commits(stage.did)).length;
      expect(await app.parity.import(stage.did)).toMatchObject({ created: 1, updated: 1, removed: 1 });
      const rows = await memos().find({ order: { atpRkey: 'ASC' } });
      expect(rows.map(({ text }) => text)).toEqual(['One, edited', 'Three']);
      expect(app.taken(RecordRemoved)).toMatchObject([{ row: 'removed', origin: 'network' }]);
      expect(await app.parity.countPendingSyncs(stage.did)).toBe(0);
      expect(await stage.network.commits(stage.did)).toHaveLength(commits);
    });

    it('publishes what is changed here afterwards, with the fields of other applications', async () => {
      const { uri } = await stage.put(MEMO, 'one', { text: 'One', other: { app: true } });
      await app.parity.import(stage.did);
      const [memo] = await memos().find();
      await memos().save(Object.assign(memo!, { text: 'Mine' }));
      expect(await stage.value(uri)).toEqual({ $type: MEMO, text: 'Mine', other: { app: true } });
    });

    it('leaves records alone that were published here', async () => {
      const memo = await memos().save(
        Object.assign(new Memo(), { did: stage.did, text: 'Here', mood: null }),
      );
      expect(await app.parity.import(stage.did)).toMatchObject({ created: 0, unchanged: 1 });
      expect(await memos().find()).toMatchObject([{ id: memo.id, text: 'Here' }]);
    });
  });
});
