import type { SyncMode } from 'nestjs-parity';
import type { DatabaseKind } from '../support/databases.js';

/**
 * A kind of application. Request mode is inline mode with an interceptor, which does what the step `unit`
 * does.
 */
export interface Kind {
  readonly mode: Exclude<SyncMode, 'request'>;
  readonly storage: 'cache' | 'database';
  readonly database: DatabaseKind;
}

/** The kinds of application on one database; the cache knows of no database, so one is enough for it. */
export function kindsOn(database: DatabaseKind): Kind[] {
  const storages = database === 'sqlite' ? (['cache', 'database'] as const) : (['database'] as const);
  return storages.flatMap((storage) =>
    (['inline', 'background'] as const).map((mode) => ({ mode, storage, database })),
  );
}
