import type { SyncOperation } from '../../model/pending-sync.js';

/** How an entity and its record stand to each other, as far as the database knows. */
export type EntityStatus =
  /** The record is what the mapper gives now. */
  | {
      readonly status: 'synced';
      readonly uri: string;
      readonly cid: string | null;
      readonly syncedAt: Date | null;
    }
  /** Its turn comes by itself; with `reason` it does not: 'retry' (of `retryPendingSyncs`) is needed. */
  | {
      readonly status: 'pending';
      readonly uri: string;
      readonly operation: SyncOperation;
      readonly since: Date;
      readonly reason: string | null;
    }
  /** The account has to act first: sign in again, or grant a scope (null: which one is not known). */
  | {
      readonly status: 'parked';
      readonly uri: string;
      readonly did: string;
      readonly needs: 'sign-in' | 'scope';
      readonly scope: string | null;
      readonly reason: string;
    }
  /** The PDS did not do its part, or asked to wait. */
  | { readonly status: 'retrying'; readonly uri: string; readonly at: Date; readonly error: string | null }
  /**
   * Nothing happens by itself: `attempts` failed, and the next change tries again; it was given up, with the
   * dead letter `deadLetter` (for `deadLetters.requeue`); or it is out of step and nobody keeps it for later,
   * which `touch` and `reconcile` see to.
   */
  | {
      readonly status: 'failed';
      readonly uri: string | null;
      readonly error: string;
      readonly attempts: number;
      readonly deadLetter: string | null;
    }
  /** It has no record, or one that is kept all the same (`uri`). */
  | { readonly status: 'not-eligible'; readonly reason: string; readonly uri: string | null };
