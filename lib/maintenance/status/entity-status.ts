import type { SyncOperation } from '../../model/pending-sync.js';

/** How an entity and its record relate, as far as the database knows. */
export type EntityStatus =
  /** The record is what the mapper makes of the entity now. */
  | {
      readonly status: 'synced';
      readonly uri: string;
      readonly cid: string | null;
      readonly syncedAt: Date | null;
    }
  /**
   * It is synced automatically. With a `reason` it waits for what that names, such as a retry by hand
   * (`retryPendingSyncs`).
   */
  | {
      readonly status: 'pending';
      readonly uri: string;
      readonly operation: SyncOperation;
      readonly since: Date;
      readonly reason: string | null;
    }
  /** Row and record were changed on both sides; `ParityService.conflicts` resolves that. */
  | { readonly status: 'conflict'; readonly uri: string; readonly reason: string }
  /**
   * The account has to act first: sign in again, grant a scope (null if it is not known which), or be active
   * again at its PDS.
   */
  | {
      readonly status: 'parked';
      readonly uri: string;
      readonly did: string;
      readonly needs: 'sign-in' | 'scope' | 'activation';
      readonly scope: string | null;
      readonly reason: string;
    }
  /** The PDS failed, or asked to wait. */
  | { readonly status: 'retrying'; readonly uri: string; readonly at: Date; readonly error: string | null }
  /**
   * Nothing more happens by itself, for one of three reasons:
   * - The record has failed `attempts` times. A save of the entity or `retryPendingSyncs` attempts it again
   *   at once, as does a sign-in with `autoRetry`. Other changes of the account attempt it along with
   *   themselves once it has rested: a minute, after each further failure twice as long, an hour at most.
   * - It was given up; a save of the entity begins anew, and `deadLetter` is for `deadLetters.requeue`.
   * - No pending sync is kept for it, although its record is not as it should be, or its own code fails to
   *   tell what should be there; `touch` or `reconcile` syncs it.
   */
  | {
      readonly status: 'failed';
      readonly uri: string | null;
      readonly error: string;
      readonly attempts: number;
      readonly deadLetter: string | null;
    }
  /** It has no record, or keeps the one at `uri` although it is not eligible. */
  | { readonly status: 'not-eligible'; readonly reason: string; readonly uri: string | null };
