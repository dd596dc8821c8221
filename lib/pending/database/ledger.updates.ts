import type { RowUpdate } from './dialect.js';

const isDone = 'l.version = d.version AND d.stays = 0';
const unlessDone = (column: string): string => `CASE WHEN NOT (${isDone}) THEN l.${column} END`;

/**
 * Settles rows, by version. A row that is neither pending nor dead has a `tried_at` if its `cid` was
 * verified. The CID is written whatever the version: a removal may have read its row before the record was
 * written back to it.
 */
export const SETTLE: RowUpdate = {
  fields: { cid: 'key', seen: 'int', stays: 'int' },
  set: {
    cid: `CASE WHEN d.seen = 1 OR (${isDone}) THEN d.cid ELSE l.cid END`,
    tried_at: `CASE WHEN NOT (${isDone}) THEN l.tried_at WHEN d.seen = 1 THEN $now END`,
    pending_since: unlessDone('pending_since'),
    dead_at: unlessDone('dead_at'),
    dead_reason: unlessDone('dead_reason'),
  },
  // Also rows that are not pending any more.
  where: 'TRUE',
  anyVersion: true,
  tellsNoKeys: true,
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

/** Has the effect of a further capture, without changing what the entry asks for. */
export const RENEW: RowUpdate = {
  fields: {},
  set: { changed_at: '$now' },
  where: 'l.pending_since IS NOT NULL',
  anyVersion: true,
  tellsNoKeys: true,
};

export const GIVE_UP: RowUpdate = {
  fields: { reason: 'text' },
  set: { pending_since: 'NULL', dead_at: '$now', dead_reason: 'd.reason' },
  where: 'l.pending_since IS NOT NULL',
};

export const REMOVE: RowUpdate = {
  fields: {},
  set: { pending_since: 'NULL', tried_at: 'NULL' },
  where: 'l.pending_since IS NOT NULL',
};

export const PURGE: RowUpdate = {
  fields: {},
  set: { tried_at: 'NULL', dead_at: 'NULL', dead_reason: 'NULL' },
  where: 'l.dead_at IS NOT NULL',
};
