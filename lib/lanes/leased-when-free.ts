import { setTimeout as sleep } from 'node:timers/promises';
import type { LeasedLane } from './leased-lane.js';
import type { LaneGate } from './lane.gate.js';

/** Between two looks, in ms. */
const INTERVAL = 100;

/**
 * Leases a lane that another worker has, once that worker gives it back. Holds no connection while it waits.
 *
 * @param patience in ms
 * @returns null if the other worker still has it
 */
export async function leasedWhenFree(
  gate: LaneGate,
  did: string,
  patience: number,
): Promise<LeasedLane | null> {
  const end = performance.now() + patience;
  for (;;) {
    const held = await gate.take(did);
    if (held || performance.now() > end) return held;
    await sleep(INTERVAL);
  }
}
