import type { RowUpdate } from './dialect.js';

const isDone = 'l.version = d.version AND d.stays = 0';
const unlessDone = (column: string): string => `CASE WHEN NOT (${isDone}) THEN l.${column} END`;

/** A revision never goes back. A missing one leaves the known one. */
export const LATEST_REV = 'CASE WHEN d.rev IS NULL OR l.rev > d.rev THEN l.rev ELSE d.rev END';

/**
 * Something newer may have been learned of the address: its revision is later than that of the settlement, or
 * the settlement has none.
 */
const isOutdated = 'CASE WHEN d.rev IS NULL THEN l.rev IS NOT NULL ELSE COALESCE(l.rev > d.rev, FALSE) END';

/** Whether the CID of the settlement is taken; see {@link SETTLE}. */
const isTold = `(${isDone} OR d.seen = 1 AND (l.version = d.version OR NOT ${isOutdated}))`;

/** Whether a delete of ours is settled. */
const isDelete = `d.cid IS NULL AND d.rev IS NOT NULL AND ${isTold}`;

/**
 * Settles rows, by version. A row that is neither pending nor dead has a `tried_at` if its `cid` was
 * verified.
 *
 * - The CID is written also if the version has moved: a removal may have read its row before the record was
 *   written back to it. It is not, if something newer may have been learned of the record since.
 * - The order matters, because MySQL sees what was set further up.
 */
export const SETTLE: RowUpdate = {
  fields: { cid: 'key', seen: 'int', stays: 'int', rev: 'key', base: 'json' },
  set: {
    mapped: `CASE WHEN l.mapped IS NOT NULL AND NOT (d.rev IS NOT NULL AND ${isTold}) THEN l.mapped END`,
    foreign_fields: `CASE WHEN l.foreign_fields IS NOT NULL AND NOT (${isDelete}) THEN l.foreign_fields END`,
    base: `CASE WHEN d.base IS NOT NULL AND ${isTold} THEN d.base WHEN l.base IS NOT NULL AND NOT (${isDelete}) THEN l.base END`,
    cid: `CASE WHEN ${isTold} THEN d.cid ELSE l.cid END`,
    tried_at: `CASE WHEN NOT (${isDone}) THEN l.tried_at WHEN d.seen = 1 THEN $now END`,
    pending_since: unlessDone('pending_since'),
    dead_at: unlessDone('dead_at'),
    dead_reason: unlessDone('dead_reason'),
    rev: LATEST_REV,
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
