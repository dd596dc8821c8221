import type { RowUpdate } from './dialect.js';

/** The changes of ledger rows by version. */
export const SETTLE: RowUpdate = {
  fields: { cid: 'key' },
  set: { cid: 'd.cid', pending_since: 'NULL', dead_at: 'NULL', dead_reason: 'NULL' },
  // Also of a row that is not pending any more: what is at its address is true all the same.
  where: 'TRUE',
};

export const FAIL: RowUpdate = {
  fields: { error: 'text', spent: 'int', session: 'int' },
  set: {
    attempts: 'l.attempts + d.spent',
    last_error: 'd.error',
    tried_at: '$now',
    session_wanted_at: 'CASE WHEN d.session = 1 THEN $now END',
  },
  where: 'l.pending_since IS NOT NULL',
};

export const GIVE_UP: RowUpdate = {
  fields: { reason: 'text' },
  set: { pending_since: 'NULL', dead_at: '$now', dead_reason: 'd.reason' },
  where: 'l.pending_since IS NOT NULL',
};

export const REMOVE: RowUpdate = {
  fields: {},
  set: { pending_since: 'NULL' },
  where: 'l.pending_since IS NOT NULL',
};

export const PURGE: RowUpdate = {
  fields: {},
  set: { dead_at: 'NULL', dead_reason: 'NULL' },
  where: 'l.dead_at IS NOT NULL',
};
