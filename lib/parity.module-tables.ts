import type { EntitySchema, MigrationInterface } from 'typeorm';
import { parityMigrations as pendingMigrations } from './pending/database/create-parity-tables.migration.js';
import { parityEntities as pendingEntities } from './pending/database/parity-entities.js';
import { CreateParityOAuthTables1795392000001 } from './sessions/oauth/database/create-parity-oauth-tables.migration.js';
import { parityOAuthEntities } from './sessions/oauth/database/parity-oauth-entities.js';

/**
 * All tables of the module (pending syncs, OAuth sessions), for the `entities` of a DataSource without
 * `autoLoadEntities`.
 */
export const parityEntities: EntitySchema[] = [...pendingEntities, ...parityOAuthEntities];

/** The same for the `migrations` of a DataSource that does not `synchronize`. */
export const parityMigrations: (new () => MigrationInterface)[] = [
  ...pendingMigrations,
  CreateParityOAuthTables1795392000001,
];

/** The tables that these options need. */
export const neededTables = (pendingSyncs: boolean, oauth: boolean): EntitySchema[] => [
  ...(pendingSyncs ? pendingEntities : []),
  ...(oauth ? parityOAuthEntities : []),
];
