import { setTimeout as sleep } from 'node:timers/promises';
import type { HeldLane } from './held-lane.js';
import type { LaneTries } from './lane-tries.js';

/** In ms, between two looks. */
const INTERVAL = 100;

/**
 * Takes a lane that another worker has, once that gives it back. Holds no connection meanwhile.
 *
 * @param patience in ms
 * @returns null if the other one has it still
 */
export async function heldWhenFree(
  tries: LaneTries,
  did: string,
  patience: number,
): Promise<HeldLane | null> {
  const end = performance.now() + patience;
  for (;;) {
    const held = await tries.hold(await tries.options.store.lane(did));
    if (held || performance.now() > end) return held;
    await sleep(INTERVAL);
  }
}
