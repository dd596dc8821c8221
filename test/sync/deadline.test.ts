import { IsNull } from 'typeorm';
import { describeDatabase } from '../support/databases.js';
import { Held } from '../support/fault-proxy.js';
import type { ParityApp } from '../support/parity-app.js';
import { until } from '../support/until.js';
import { Bold } from '../support/entities/bold-and-careful.js';
import { NoteNetwork } from '../support/note-network.js';

let alice: NoteNetwork;
let app: ParityApp;
beforeAll(async () => {
  alice = await NoteNetwork.start();
  app = await alice.app({ sync: { deadlineMs: 150 } });
  // The first write logs in.
  const note = await app.repository(Bold).save(alice.note(Bold, 'warm'));
  await until(() => note.hasAtpRecord());
});
afterAll(() => alice?.stop());
beforeEach(() => alice.proxy.reset());

const APPLY = 'com.atproto.repo.applyWrites';
/** The next write waits for its answer. */
const holdWrite = (): Held => {
  const held = new Held();
  alice.proxy.fault(APPLY, held.fault);
  return held;
};
const release = async (held: Held): Promise<void> => {
  await held.arrived;
  await held.release();
};

describe('the deadline of a caller', () => {
  it('ends the wait and not the work: the record is there later, and the instance shows it', async () => {
    const held = holdWrite();
    const note = await app.repository(Bold).save(alice.note(Bold, 'slow'));
    expect(note.hasAtpRecord()).toBe(false);
    await release(held);
    await until(() => note.hasAtpRecord());
    expect(await alice.text(note.atpUri)).toBe('slow');
    expect(await app.repository(Bold).findOneByOrFail({ id: note.id })).toMatchObject({
      atpUri: note.atpUri,
    });
  });

  it("gives 'pending' to a caller that publishes by hand", async () => {
    const note = await app.repository(Bold).save(alice.note(Bold, 'slow by hand'));
    await until(() => note.hasAtpRecord());
    await note.unpublish();
    await until(() => !note.hasAtpRecord());
    const held = holdWrite();
    const result = await note.publish();
    expect(result).toMatchObject({ status: 'pending', reason: 'still under way when the deadline was over' });
    expect([result.isSuccess(), result.isFailed()]).toEqual([false, false]);
    await release(held);
    await until(() => note.hasAtpRecord());
    expect(await alice.text(note.atpUri)).toBe('slow by hand');
  });

  it('changes no order: a later save is written after the work under way, so that the last state stands', async () => {
    const held = holdWrite();
    const note = await app.repository(Bold).save(alice.note(Bold, 'first'));
    await app.repository(Bold).save(Object.assign(note, { text: 'second' }));
    expect(note.hasAtpRecord()).toBe(false);
    await release(held);
    await until(async () => (await alice.text(note.atpUri)) === 'second');
  });

  it('does not end the work before shutdown, which waits for it', async () => {
    const closing = await alice.app({ sync: { deadlineMs: 50 } });
    const held = holdWrite();
    const note = await closing.repository(Bold).save(alice.note(Bold, 'last words'));
    expect(note.hasAtpRecord()).toBe(false);
    const closed = closing.module.close();
    await release(held);
    await closed;
    expect(await alice.text(note.atpUri)).toBe('last words');
  });
});

describeDatabase('postgres')('callers that commit by hand on a pool of connections', () => {
  it('wait for their records while they hold at most half of the pool; further callers go on at once', async () => {
    const pooled = await alice.app(
      { sync: { deadlineMs: 30_000 } },
      { database: 'postgres', dataSource: { poolSize: 4 } },
    );
    await pooled.repository(Bold).save(alice.note(Bold, 'warm'));
    const held = holdWrite();
    const saved = await Promise.all(
      ['one', 'two', 'three'].map(async (text) => {
        const runner = pooled.dataSource.createQueryRunner();
        await runner.startTransaction();
        const note = await runner.manager.save(alice.note(Bold, text));
        await runner.commitTransaction();
        await runner.release();
        if (note.hasAtpRecord()) return 'waited';
        await release(held);
        return 'went on';
      }),
    );
    expect(saved.toSorted()).toEqual(['waited', 'waited', 'went on']);
    const bold = pooled.repository(Bold);
    await until(async () => (await bold.countBy({ atpUri: IsNull() })) === 0);
  });
});
