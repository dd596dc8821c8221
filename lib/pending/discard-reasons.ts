import type { PendingSync } from '../model/pending-sync.js';

/** How long a due entry waits for a process that knows its class, in ms. */
export const UNCLAIMED_LIFE = 7 * 24 * 60 * 60 * 1_000;

/** @param ttl in seconds */
export const expired = (ttl: number): string => `it was pending for more than ${ttl} seconds (ttl)`;

export const spent = ({ attempts, lastError }: PendingSync): string =>
  `${attempts} tries failed (maxAttempts), the last with: ${lastError ?? 'unknown'}`;

export const unclaimed = (entityName: string): string =>
  `no process that was running in 7 days has known an entity class by the name '${entityName}'`;
