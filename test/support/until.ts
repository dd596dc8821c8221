import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until something is so; fails after `milliseconds`. */
export async function until(isSo: () => Promise<boolean> | boolean, milliseconds = 30_000): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`Not so within ${milliseconds} ms: ${isSo}`);
    await sleep(20);
  }
}
