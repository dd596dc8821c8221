import type { QueryRunner } from 'typeorm';
import { ChangeFeed } from '../../lib/changes/change-feed.js';
import type { EntityWrite, Resolved } from '../../lib/sync/change.js';
import type { CommittedBatch } from '../../lib/sync/committed-batch.js';
import type { SyncDispatcher } from '../../lib/sync/sync-dispatcher.js';

const aWrite = (entityId: string) =>
  ({ entity: { name: 'Note' }, entityId, origin: undefined }) as unknown as EntityWrite;

/** @param meanwhile what happens on the shared connection while the nth capture is under way */
function aFeed(meanwhile: (capture: number, feed: ChangeFeed, runner: QueryRunner) => Promise<void> | void) {
  let captures = 0;
  const batches: { writes: string[]; captured: string[] }[] = [];
  const dispatcher = {
    version: 0,
    beforeCommit: async (writes: readonly EntityWrite[]): Promise<Resolved> => {
      if (++captures > 10) throw new Error('It captures for ever.');
      await meanwhile(captures, feed, runner);
      const changes = writes.map(({ entityId }) => ({ entityId })) as Resolved['changes'];
      return { changes, unresolved: [], unowned: [] };
    },
    afterCommit: async ({ writes, captured }: CommittedBatch) => {
      batches.push({
        writes: writes.map(({ entityId }) => entityId),
        captured: captured.flatMap(({ changes }) => changes.map(({ entityId }) => entityId)),
      });
      return [];
    },
  } as unknown as SyncDispatcher;
  const runner = { isTransactionActive: true } as QueryRunner;
  const feed = new ChangeFeed(dispatcher, false, () => undefined);
  const commit = async () => {
    feed.log(runner).start();
    feed.log(runner).add(aWrite('a'));
    await feed.beforeCommit(runner);
    (runner as { isTransactionActive: boolean }).isTransactionActive = false;
    await feed.afterCommit(runner);
    return batches;
  };
  return { commit };
}

describe('a commit during which another caller rolls a savepoint back', () => {
  it('ends, and hands on only what was committed', async () => {
    const { commit } = aFeed(async (capture, feed, runner) => {
      if (capture === 1) {
        feed.log(runner).start();
        feed.log(runner).add(aWrite('b'));
      }
      if (capture === 2) await feed.afterRollback(runner);
    });
    expect(await commit()).toEqual([{ writes: [], captured: ['a'] }]);
  });

  it('captures what is written after that', async () => {
    const { commit } = aFeed(async (capture, feed, runner) => {
      if (capture === 1) {
        feed.log(runner).start();
        feed.log(runner).add(aWrite('b'));
      }
      if (capture === 2) {
        await feed.afterRollback(runner);
        feed.log(runner).add(aWrite('c'));
      }
    });
    expect(await commit()).toEqual([{ writes: [], captured: ['a', 'c'] }]);
  });
});
