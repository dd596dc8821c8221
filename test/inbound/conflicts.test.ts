import {
  ConflictDetected,
  ConflictResolved,
  type ConflictBehaviour,
  type InboundBehaviour,
} from 'nestjs-parity';
import { memoModel, type MemoBase } from '../support/entities/memo.js';
import { InboundStage } from '../support/inbound-stage.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import type { ParityApp } from '../support/parity-app.js';

const MEMO = 'com.example.memo';

type Behaviour = Partial<ConflictBehaviour & InboundBehaviour>;

describe.each(databaseKinds)('On %s', (database) => {
  describeDatabase(database)('a record and its row that were both changed', () => {
    let stage: InboundStage;
    let app: ParityApp;
    let Memo: new () => MemoBase;
    let uri: string;

    const memos = () => app.repository<MemoBase>(Memo);
    const memo = async (): Promise<MemoBase> => (await memos().find())[0]!;

    afterEach(() => stage.stop());

    /** Imports a record, and changes the row and then the record, before the row could be published. */
    async function changedOnBothSides(
      behaviour: Behaviour,
      local: Partial<MemoBase> | null,
      remote: { text: string; mood?: string; other?: string } | null,
    ): Promise<void> {
      stage = await InboundStage.start();
      const model = memoModel(behaviour);
      ({ Memo } = model);
      app = await stage.app({ model, database, mode: 'background', pendingSyncs: { autoRetry: true } });
      ({ uri } = await stage.put(MEMO, 'one', { text: 'base', mood: 'calm', other: 'theirs' }));
      await app.parity.import(stage.did);
      const row = await memo();
      // The edit of the other app comes first, so that our own write finds it.
      if (remote) await stage.put(MEMO, 'one', remote);
      else await stage.delete(MEMO, 'one');
      app.events.splice(0);
      if (local) await memos().save(Object.assign(row, local));
      else await memos().remove(row);
      await app.parity.runOnce();
      await app.parity.runOnce();
    }

    /** What the record, the rows and the pending syncs have come to. */
    const ends = async (): Promise<unknown> => ({
      record: (await stage.value(uri))?.['text'],
      rows: (await memos().find()).map((one) => one.text),
      pending: await app.parity.countPendingSyncs(stage.did),
    });
    const both = (text: string) => ({ record: text, rows: [text], pending: 0 });
    const NOTHING = { record: undefined, rows: [], pending: 0 };

    it("ends as the record with 'remote', and tells what was dropped", async () => {
      await changedOnBothSides({}, { text: 'mine' }, { text: 'theirs' });
      expect(await ends()).toEqual(both('theirs'));
      expect(app.taken(ConflictResolved)).toMatchObject([
        { resolution: 'remote', local: { text: 'mine', other: 'theirs' }, remote: { text: 'theirs' } },
      ]);
    });

    it("ends as the row with 'local', with the fields of the other application", async () => {
      await changedOnBothSides({ conflicts: 'local' }, { text: 'mine' }, { text: 'theirs', other: 'more' });
      expect(await ends()).toEqual(both('mine'));
      expect(await stage.value(uri)).toMatchObject({ text: 'mine', other: 'more' });
    });

    it("ends as the later edit with 'newest'", async () => {
      await changedOnBothSides({ conflicts: 'newest' }, { text: 'mine, later' }, { text: 'theirs' });
      expect(await ends()).toEqual(both('mine, later'));
    });

    it("takes each field from the side that changed it with 'merge'", async () => {
      await changedOnBothSides(
        { conflicts: 'merge' },
        { mood: 'glad' },
        { text: 'theirs', mood: 'calm', other: 'more' },
      );
      expect(await ends()).toEqual(both('theirs'));
      expect(await stage.value(uri)).toMatchObject({ text: 'theirs', mood: 'glad', other: 'more' });
      expect(await memo()).toMatchObject({ text: 'theirs', mood: 'glad' });
    });

    it("waits for a decision with 'manual', which acts on both sides", async () => {
      await changedOnBothSides({ conflicts: 'manual' }, { text: 'mine' }, { text: 'theirs' });
      expect((await stage.value(uri))?.['text']).toBe('theirs');
      expect((await memo()).text).toBe('mine');
      expect(app.taken(ConflictDetected)).toMatchObject([{ uri, remote: { text: 'theirs' } }]);
      expect(await app.parity.statusOf(await memo())).toMatchObject({ status: 'conflict', uri });
      const [open] = await app.parity.conflicts.list();
      expect(open).toMatchObject({ id: uri, local: { text: 'mine' }, remote: { text: 'theirs' } });
      await memos().save(Object.assign(await memo(), { text: 'mine, again' }));
      await app.parity.runOnce();
      expect((await stage.value(uri))?.['text']).toBe('theirs');
      expect(await app.parity.conflicts.resolve(uri, { text: 'ours' })).toBe(true);
      await app.parity.runOnce();
      expect(await ends()).toEqual(both('ours'));
      expect(await app.parity.conflicts.list()).toEqual([]);
      expect(await app.parity.conflicts.resolve(uri, 'local')).toBe(false);
    });

    it('stays different once it is dismissed, until the row changes', async () => {
      await changedOnBothSides({ conflicts: 'manual' }, { text: 'mine' }, { text: 'theirs' });
      expect(await app.parity.conflicts.dismiss(uri)).toBe(true);
      await app.parity.runOnce();
      expect((await stage.value(uri))?.['text']).toBe('theirs');
      expect((await memo()).text).toBe('mine');
      expect(await app.parity.countPendingSyncs(stage.did)).toBe(0);
      await memos().save(Object.assign(await memo(), { text: 'mine, later' }));
      await app.parity.runOnce();
      expect(await ends()).toEqual(both('mine, later'));
    });

    it('is decided by a function of the class', async () => {
      const conflicts: Behaviour['conflicts'] = (local, remote, base) => ({
        text: [base, local, remote].map((side) => String(side?.['text'])).join(' + '),
      });
      await changedOnBothSides({ conflicts }, { text: 'mine' }, { text: 'theirs' });
      expect(await ends()).toEqual(both('base + mine + theirs'));
    });

    it("loses the row with its record, unless 'local' wins", async () => {
      await changedOnBothSides({}, { text: 'mine' }, null);
      expect(await ends()).toEqual(NOTHING);
    });

    it("publishes the row under a new key if its record was deleted and 'local' wins", async () => {
      await changedOnBothSides({ conflicts: 'local' }, { text: 'mine' }, null);
      expect(await stage.value(uri)).toBeUndefined();
      const { atpUri, text } = await memo();
      expect(atpUri).not.toBe(uri);
      expect(await stage.value(atpUri)).toMatchObject({ text });
      expect(await app.parity.countPendingSyncs(stage.did)).toBe(0);
    });

    it('comes back as a row if the record was edited while the row was removed', async () => {
      await changedOnBothSides({}, null, { text: 'theirs' });
      expect(await ends()).toEqual(both('theirs'));
    });

    it("is deleted if the row was removed and 'local' wins", async () => {
      await changedOnBothSides({ conflicts: 'local' }, null, { text: 'theirs' });
      expect(await ends()).toEqual(NOTHING);
    });
  });
});
