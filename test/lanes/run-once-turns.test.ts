import { PendingSyncRetryResult } from 'nestjs-parity';
import { LaneLoop, type LaneLoopOptions } from '../../lib/lanes/lane.loop.js';

const DONE = new PendingSyncRetryResult(1, 1, 0, 0);
const NOTHING = new PendingSyncRetryResult(0, 0, 0, 0);

/** Of two lanes at a time. */
function loopOf(
  ready: ReadonlySet<string>,
  work: (did: string) => Promise<PendingSyncRetryResult>,
): LaneLoop {
  return new LaneLoop({
    store: { sweep: async () => 0, readyLanes: async (limit: number) => [...ready].slice(0, limit) },
    worker: { work, drain: async () => undefined },
    concurrency: 2,
    interval: 1_000,
    drainLimit: 10,
    cleanup: async () => undefined,
    wake: async () => undefined,
    log: { log: () => undefined, error: () => undefined },
  } as unknown as LaneLoopOptions);
}

describe('runOnce()', () => {
  it.each([true, false])('goes on to lanes behind those that wait (which stay ready: %p)', async (stays) => {
    const ready = new Set(['waits 1', 'waits 2', 'healthy']);
    const worked: string[] = [];
    const loop = loopOf(ready, async (did) => {
      worked.push(did);
      if (did === 'healthy' || !stays) ready.delete(did);
      return did === 'healthy' ? DONE : NOTHING;
    });
    expect(await loop.runOnce()).toMatchObject({ total: 1, succeeded: 1 });
    expect(worked).toEqual(['waits 1', 'waits 2', 'healthy']);
  });

  it('ends although a lane cannot be entered and stays ready', async () => {
    const loop = loopOf(new Set(['broken']), () => Promise.reject(new Error('no connection')));
    expect(await loop.runOnce()).toMatchObject({ total: 1, failed: 1, errors: ['no connection'] });
  });
});
