import type { SyncOperation } from '../model/pending-sync.js';
import type { Trigger } from './change.js';

interface Asked {
  readonly trigger: Trigger;
  readonly operation: SyncOperation;
}

/**
 * Which trigger an unfinished change keeps when a later change of the same entity joins it. What the
 * application asked for by hand stays asked for until it is done, or withdrawn by hand. An entity that was
 * removed or hidden since is not published.
 *
 * @returns null where the later change takes over
 */
export function keptTrigger(before: Asked, later: Asked): Trigger | null {
  if (before.trigger === 'auto' || later.trigger !== 'auto') return null;
  const goes = later.operation === 'unpublish';
  if (before.trigger === 'unpublish') return goes ? 'unpublish' : 'renew';
  return before.trigger !== 'renew' && goes ? null : before.trigger;
}
