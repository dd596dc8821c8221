import { Logger } from '@nestjs/common';

/** The options of `forRoot` or `forRootAsync`, whose names were checked. */
export const PARITY_OPTIONS = Symbol('parity:options');

/** `ResolvedOptions`: required values. */
export const RESOLVED_OPTIONS = Symbol('parity:resolved-options');

/** Mapper classes that were listed, and not found by their decorator. */
export const LISTED_MAPPERS = Symbol('parity:listed-mappers');

/**
 * The DataSource that keeps pending syncs, with storage 'database'; undefined if there is none of that name.
 */
export const PENDING_DATA_SOURCE = Symbol('parity:pending-data-source');

/** `PendingParts`; null while pending syncs are disabled. */
export const PENDING = Symbol('parity:pending');

/** `InboundParts`; null where changes are not kept in the database. */
export const INBOUND = Symbol('parity:inbound');

export const logger = new Logger('Parity');
