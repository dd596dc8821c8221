import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RuntimeLock } from '@atproto/oauth-client-node';
import { SessionStoreError } from '../../errors/session-store.error.js';

/** A place for leases that all processes see. */
export interface Leases {
  /** Takes the lease of `name` for `ttlMs` if it is free or has ended; atomic, and timed by one clock. */
  tryAcquire(name: string, token: string, ttlMs: number): Promise<boolean>;
  /** Ends the lease of `name` if it still has this token. */
  release(name: string, token: string): Promise<void>;
}

export interface LeaseLockOptions {
  /**
   * Milliseconds until a lease ends by itself, as when its process died. It has to be longer than a refresh,
   * which is given up after 30 seconds. Default: 60,000.
   */
  readonly ttlMs?: number;
  /** Milliseconds until a waiting caller gives up. Default: 30,000. */
  readonly waitMs?: number;
}

const FIRST_PAUSE = 20;
const LONGEST_PAUSE = 250;

/**
 * A lock for several processes. A waiting caller looks again after pauses of random length, so that each of
 * many gets its turn.
 */
export function leaseLock(
  leases: Leases,
  { ttlMs = 60_000, waitMs = 30_000 }: LeaseLockOptions = {},
): RuntimeLock {
  return async (name, fn) => {
    const token = randomUUID();
    const end = performance.now() + waitMs;
    for (let pause = FIRST_PAUSE; !(await leases.tryAcquire(name, token, ttlMs));) {
      if (performance.now() >= end) {
        throw new SessionStoreError(
          `The lock '${name}' was not to be had for ${waitMs} ms: another process holds it.`,
        );
      }
      await sleep(pause * (0.5 + Math.random()));
      pause = Math.min(pause * 1.5, LONGEST_PAUSE);
    }
    try {
      return await fn();
    } finally {
      // The work is done; a lease that cannot be ended ends by itself.
      await leases.release(name, token).catch(() => undefined);
    }
  };
}
