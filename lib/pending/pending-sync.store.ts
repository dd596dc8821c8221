import type { QueryRunner } from 'typeorm';
import type { LaneStore } from './lane.store.js';
import type { PendingChangeStore } from './pending-change.store.js';
import type { PendingSyncReader } from './pending-sync.reader.js';

/**
 * Where pending syncs are kept. The three ports that it joins are the specification, each for the callers
 * that use it; the contract suite (test/pending/contract) tests them, and every store passes it.
 */
export interface PendingSyncStore extends PendingChangeStore, LaneStore, PendingSyncReader {
  /**
   * This store on the caller's connection, after its commit and for as long as `own` gives it: with a pool of
   * one there is no second. A store on connections of its own, or on none, is the same store.
   */
  on(own: () => QueryRunner | undefined): PendingSyncStore;
}
