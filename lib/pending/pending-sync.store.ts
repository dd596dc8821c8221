import type { QueryRunner } from 'typeorm';
import type { LaneStore } from './lane.store.js';
import type { PendingChangeStore } from './pending-change.store.js';
import type { PendingSyncReader } from './pending-sync.reader.js';

/**
 * The store of pending syncs. The three ports that it joins are its specification, each for the callers that
 * use it. The contract suite (test/pending/contract) tests them, and every store passes it.
 */
export interface PendingSyncStore extends PendingChangeStore, LaneStore, PendingSyncReader {
  /**
   * This store on the caller's connection, after its commit and for as long as `own` returns it, because a
   * pool of one has no second. A store with connections of its own, or with none, returns itself.
   */
  on(own: () => QueryRunner | undefined): PendingSyncStore;
}
