import {
  firehose,
  RecordApplied,
  RecordPublished,
  RecordRemoved,
  whereVisible,
  type ParityModuleOptions,
} from 'nestjs-parity';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { Clipping, clippings, memoModel, type MemoBase } from '../support/entities/memo.js';
import { together } from '../support/entities/model.js';
import { InboundStage } from '../support/inbound-stage.js';
import { aDatabaseFor, type ParityApp } from '../support/parity-app.js';
import { until } from '../support/until.js';

const MEMO = 'com.example.memo';
const CLIPPING = 'com.example.clipping';

describe.each(databaseKinds)('On %s', (database) => {
  describeDatabase(database)('following the firehose', () => {
    const { Memo, ...model } = memoModel();
    let stage: InboundStage;
    let app: ParityApp;

    const memos = () => app.repository<MemoBase>(Memo);
    const inbound = (): ParityModuleOptions['inbound'] => ({
      source: firehose({ service: stage.network.pdsUrl }),
    });

    beforeEach(async () => {
      stage = await InboundStage.start();
      app = await stage.app({ model: together(model, clippings), database }, inbound());
      // The first import makes the account one that is followed.
      await until(() =>
        app.parity.import(stage.did).then(
          () => true,
          () => false,
        ),
      );
    });
    afterEach(() => stage.stop());

    it('takes over what other applications create, edit and delete, as it happens', async () => {
      // What an import finds is no live event, so the source has to be connected first.
      await stage.put(MEMO, 'zero', { text: 'Zero' });
      await until(async () => (await memos().count()) === 1);
      await stage.delete(MEMO, 'zero');
      await until(async () => (await memos().count()) === 0);
      app.events.splice(0);
      const { uri } = await stage.put(MEMO, 'one', { text: 'One' });
      await until(async () => (await memos().find())[0]?.text === 'One');
      await stage.put(MEMO, 'one', { text: 'One, edited' });
      await until(async () => (await memos().find())[0]?.text === 'One, edited');
      const applied = app.taken(RecordApplied).filter((one) => one.uri === uri);
      expect(applied.at(-1)).toMatchObject({ operation: 'update', live: true });
      await stage.delete(MEMO, 'one');
      await until(async () => (await memos().count()) === 0);
      await until(() => app.events.some((event) => event instanceof RecordRemoved));
      expect(app.taken(RecordRemoved)).toMatchObject([{ uri, row: 'removed' }]);
    });

    it('soft-removes a row with its record, and recovers it', async () => {
      await stage.put(CLIPPING, 'a', { text: 'A' });
      const clips = app.repository(Clipping);
      await until(async () => (await clips.count()) === 1);
      await stage.delete(CLIPPING, 'a');
      await until(async () => (await clips.count()) === 0);
      await stage.put(CLIPPING, 'a', { text: 'A, again' });
      await until(async () => (await clips.find())[0]?.text === 'A, again');
      expect(await clips.find({ withDeleted: true })).toHaveLength(1);
    });

    it('takes its own writes for no news', async () => {
      const memo = await memos().save(
        Object.assign(new Memo(), { did: stage.did, text: 'Mine', mood: null }),
      );
      await memos().save(Object.assign(memo, { text: 'Mine, edited' }));
      await stage.put(MEMO, 'last', { text: 'Last' });
      const applied: RecordApplied[] = [];
      await until(() => applied.push(...app.taken(RecordApplied)) > 0);
      expect(applied).toMatchObject([{ uri: expect.stringContaining('/last') as string }]);
      expect(await memos().findOneBy({ id: memo.id })).toMatchObject({ text: 'Mine, edited' });
      expect(await stage.value(memo.atpUri)).toMatchObject({ text: 'Mine, edited' });
    });

    it('goes on where it was after a restart', async () => {
      const lasting = await aDatabaseFor(database, together(model, clippings));
      const start = () => stage.app({ model: together(model, clippings), database: lasting }, inbound());
      try {
        const first = await start();
        // The stream may be importing the account by itself.
        await until(() =>
          first.parity.import(stage.did).then(
            () => true,
            () => false,
          ),
        );
        await stage.put(MEMO, 'one', { text: 'One' });
        await until(async () => (await first.repository<MemoBase>(Memo).count()) === 1);
        await first.stop();
        await stage.put(MEMO, 'one', { text: 'One, edited' });
        await stage.put(MEMO, 'two', { text: 'Two' });
        const second = await start();
        const texts = async () => (await second.repository<MemoBase>(Memo).find()).map(({ text }) => text);
        await until(async () => (await texts()).length === 2);
        await until(async () => (await texts()).includes('One, edited'));
        expect((await texts()).toSorted()).toEqual(['One, edited', 'Two']);
        await second.stop();
      } finally {
        await lasting.cleanup();
      }
    });

    it('hides the rows of a deactivated account, and keeps what is changed here until it is active', async () => {
      await stage.put(MEMO, 'one', { text: 'One' });
      await until(async () => (await memos().count()) === 1);
      await stage.network.deactivate(stage.account);
      await until(async () => (await memos().count({ where: whereVisible(Memo) })) === 0);
      const [memo] = await memos().find();
      await memos()
        .save(Object.assign(memo!, { text: 'One, here' }))
        .catch(() => undefined);
      expect(await app.parity.countPendingSyncs(stage.did)).toBe(1);
      app.taken(RecordPublished);
      await stage.network.activate(stage.account);
      await until(async () => (await memos().count({ where: whereVisible(Memo) })) === 1);
      await until(async () => (await app.parity.countPendingSyncs(stage.did)) === 0);
      expect(await stage.value(memo!.atpUri)).toMatchObject({ text: 'One, here' });
    });

    it('loses the rows of a deleted account', async () => {
      await stage.put(MEMO, 'one', { text: 'One' });
      await until(async () => (await memos().count()) === 1);
      await stage.network.deleteAccount(stage.did);
      await until(async () => (await memos().count()) === 0);
      await until(async () => (await app.parity.importStatus(stage.did))?.status === 'deleted');
      expect(app.taken(RecordRemoved)).toMatchObject([{ row: 'removed' }]);
    });
  });
});
