import type { DataSource } from 'typeorm';
import { ParityOptionsError } from '../../errors/parity-options.error.js';
import { tablePath } from '../../database/tables.js';
import { LANE, LEDGER } from './ledger-tables.js';

/** @throws ParityOptionsError that says how to get the tables of pending syncs, if they are not there */
export async function ensureTables(dataSource: DataSource): Promise<void> {
  const runner = dataSource.createQueryRunner('master');
  try {
    for (const name of [LEDGER, LANE]) {
      const path = tablePath(dataSource, name);
      if (!(await runner.hasTable(path))) throw missing(path, dataSource);
    }
  } finally {
    await runner.release();
  }
}

const missing = (path: string, { options: { synchronize } }: DataSource): ParityOptionsError =>
  new ParityOptionsError(
    `pendingSyncs.storage is 'database', and the table ${path} does not exist. ` +
      (synchronize === true
        ? `Add parityEntities to the entities of the DataSource`
        : `Add parityMigrations to the migrations of the DataSource and run them, or generate a migration of your own with ` +
          `parityEntities among its entities`) +
      `; autoLoadEntities: true does it for ParityModule.forRoot(), not for forRootAsync().`,
  );
