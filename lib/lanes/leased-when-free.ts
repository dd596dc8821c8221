import { setTimeout as sleep } from 'node:timers/promises';
import type { LeasedLane } from './leased-lane.js';
import type { LaneAttempts } from './lane-attempts.js';

/** In ms, between two looks. */
const INTERVAL = 100;

/**
 * Takes a lane that another worker has, once that gives it back. Holds no connection meanwhile.
 *
 * @param patience in ms
 * @returns null if the other one has it still
 */
export async function leasedWhenFree(
  attempts: LaneAttempts,
  did: string,
  patience: number,
): Promise<LeasedLane | null> {
  const end = performance.now() + patience;
  for (;;) {
    const held = await attempts.gate.take(did);
    if (held || performance.now() > end) return held;
    await sleep(INTERVAL);
  }
}
