import type { DataSource } from 'typeorm';
import { requireTables } from '../../database/tables.js';
import { ParityOptionsError } from '../../errors/parity-options.error.js';
import { INBOUND, LANE, LEDGER, REPOSITORY, SOURCE } from './ledger-tables.js';

/** @throws ParityOptionsError that says how to create the tables of pending syncs, if they are missing */
export const ensureTables = (dataSource: DataSource): Promise<void> =>
  requireTables(dataSource, [LEDGER, LANE, REPOSITORY, SOURCE, INBOUND], missing);

const missing = (path: string, synchronizes: boolean): ParityOptionsError =>
  new ParityOptionsError(
    `pendingSyncs.storage is 'database', and the table ${path} does not exist. ` +
      (synchronizes
        ? `Add parityEntities to the entities of the DataSource`
        : `Add parityMigrations to the migrations of the DataSource and run them, or generate a migration of your own with ` +
          `parityEntities among its entities`) +
      `; autoLoadEntities: true does it for ParityModule.forRoot(), not for forRootAsync().`,
  );
