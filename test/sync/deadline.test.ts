import { setTimeout as sleep } from 'node:timers/promises';
import { IsNull } from 'typeorm';
import { describeDatabase } from '../support/databases.js';
import { delay } from '../support/fault-proxy.js';
import type { ParityApp } from '../support/parity-app.js';
import { Bold, NoteNetwork } from './notes.js';

let alice: NoteNetwork;
let app: ParityApp;
beforeAll(async () => {
  alice = await NoteNetwork.start();
  app = await alice.app({ sync: { deadlineMs: 150 } });
  // The first write logs in.
  await app
    .repository(Bold)
    .save(alice.note(Bold, 'warm'))
    .then(() => sleep(500));
});
afterAll(() => alice?.stop());
beforeEach(() => alice.proxy.reset());

const APPLY = 'com.atproto.repo.applyWrites';
const until = async (holds: () => boolean): Promise<void> => {
  for (let tries = 0; !holds() && tries < 200; tries++) await sleep(20);
  expect(holds()).toBe(true);
};

describe('a caller waits no longer than the deadline,', () => {
  it('and the work goes on: the record is there later, and the instance shows it', async () => {
    alice.proxy.fault(APPLY, delay(700));
    const began = Date.now();
    const note = await app.repository(Bold).save(alice.note(Bold, 'slow'));
    expect(Date.now() - began).toBeLessThan(600);
    expect(note.hasAtpRecord()).toBe(false);
    await until(() => note.hasAtpRecord());
    expect(await alice.text(note.atpUri)).toBe('slow');
    expect(await app.repository(Bold).findOneByOrFail({ id: note.id })).toMatchObject({
      atpUri: note.atpUri,
    });
  });

  it("and by hand is told 'pending'", async () => {
    const note = await app.repository(Bold).save(alice.note(Bold, 'slow by hand'));
    await until(() => note.hasAtpRecord());
    await note.unpublish();
    alice.proxy.fault(APPLY, delay(700));
    const result = await note.publish();
    expect(result).toMatchObject({ status: 'pending', reason: 'still under way when the deadline was over' });
    expect([result.isSuccess(), result.isFailed()]).toEqual([false, false]);
    await until(() => note.hasAtpRecord());
    expect(await alice.text(note.atpUri)).toBe('slow by hand');
  });

  it('and what is saved meanwhile comes after it, so that the last state stands', async () => {
    alice.proxy.fault(APPLY, delay(500));
    const note = await app.repository(Bold).save(alice.note(Bold, 'first'));
    await app.repository(Bold).save(Object.assign(note, { text: 'second' }));
    await until(() => note.hasAtpRecord());
    for (let tries = 0; (await alice.text(note.atpUri)) !== 'second' && tries < 100; tries++) await sleep(20);
    expect(await alice.text(note.atpUri)).toBe('second');
  });

  it('and shutdown waits for the work', async () => {
    const closing = await alice.app({ sync: { deadlineMs: 50 } });
    alice.proxy.fault(APPLY, delay(400));
    const note = await closing.repository(Bold).save(alice.note(Bold, 'last words'));
    expect(note.hasAtpRecord()).toBe(false);
    await closing.module.close();
    expect(await alice.text(note.atpUri)).toBe('last words');
  });
});

describeDatabase('postgres')('on a pool of connections,', () => {
  it('half of them at most wait for their records, when commits by hand hold them; the others go on at once', async () => {
    const pooled = await alice.app({}, { database: 'postgres', dataSource: { poolSize: 4 } });
    await pooled.repository(Bold).save(alice.note(Bold, 'warm'));
    alice.proxy.fault(APPLY, delay(1_000));
    const saved = await Promise.all(
      ['one', 'two', 'three'].map(async (text) => {
        const runner = pooled.dataSource.createQueryRunner();
        await runner.startTransaction();
        const note = await runner.manager.save(alice.note(Bold, text));
        await runner.commitTransaction();
        await runner.release();
        return note.hasAtpRecord() ? 'waited' : 'went on';
      }),
    );
    expect(saved.toSorted()).toEqual(['waited', 'waited', 'went on']);
    const bold = pooled.repository(Bold);
    for (let tries = 0; (await bold.countBy({ atpUri: IsNull() })) > 0 && tries < 200; tries++)
      await sleep(20);
    expect(await bold.countBy({ atpUri: IsNull() })).toBe(0);
  });
});
