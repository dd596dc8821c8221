import type { SyncOperation } from '../model/pending-sync.js';
import type { Trigger } from './change.js';

interface Asked {
  readonly trigger: Trigger;
  readonly operation: SyncOperation;
}

/**
 * What was asked for by hand stays asked for until it is done, or withdrawn by hand. Of a change that is not
 * done yet, and a later one of the same entity: the trigger that stays; null: the later change takes over. A
 * removed or hidden entity is not published.
 */
export function keptTrigger(before: Asked, later: Asked): Trigger | null {
  if (before.trigger === 'auto' || later.trigger !== 'auto') return null;
  const goes = later.operation === 'unpublish';
  if (before.trigger === 'unpublish') return goes ? 'unpublish' : 'renew';
  return before.trigger !== 'renew' && goes ? null : before.trigger;
}
