import type { DataSource } from 'typeorm';
import { dialectOf, type Dialect } from '../../database/dialect.js';

/**
 * One row per address that was ever written or is to be written, on PostgreSQL also one per draft. A row is
 * dirty (a pending sync) while `pending_since` is set.
 */
export const LEDGER = 'parity_ledger';
/** One row per DID: which worker has it, when it is worked on next, and what is known of its repository. */
export const LANE = 'parity_lane';
/** One row per account that something is known of: who it is, and how far it was imported. */
export const REPOSITORY = 'parity_repository';
/** One row per source: how far it was read. */
export const SOURCE = 'parity_source';
/** One row per address whose record was not taken over, or is in conflict. */
export const INBOUND = 'parity_inbound';

/** @throws ParityOptionsError for a database in which pending syncs cannot be kept */
export const ledgerDialectOf = (dataSource: DataSource): Dialect =>
  dialectOf(dataSource, { what: 'Pending syncs', instead: "pendingSyncs.storage 'cache'" });
