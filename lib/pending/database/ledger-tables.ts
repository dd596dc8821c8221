import type { DataSource } from 'typeorm';
import { dialectOf, type Dialect } from '../../database/dialect.js';

/**
 * One row per address that was ever written or is to be written, on PostgreSQL also of drafts. A row is dirty
 * (a pending sync) while `pending_since` is set.
 */
export const LEDGER = 'parity_ledger';
/** One row per DID: who works on it, when it is worked on next, and what is known of its repository. */
export const LANE = 'parity_lane';

/** @throws ParityOptionsError for a database that pending syncs cannot be kept in */
export const ledgerDialectOf = (dataSource: DataSource): Dialect =>
  dialectOf(dataSource, { what: 'Pending syncs', instead: "pendingSyncs.storage 'cache'" });
