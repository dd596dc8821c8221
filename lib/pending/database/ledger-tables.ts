/**
 * One row per address that was ever written or is to be written, on PostgreSQL also of drafts; dirty (a
 * pending sync) while `pending_since` is set.
 */
export const LEDGER = 'parity_ledger';
/** One row per DID: who works on it, when it is worked on next, and what is known of its repository. */
export const LANE = 'parity_lane';
