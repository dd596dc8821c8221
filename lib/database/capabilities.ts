import type { DataSource } from 'typeorm';

/** What a database can do, for code that works with every driver of TypeORM. */
export interface Capabilities {
  /** Each connection has transactions of its own, and a transaction locks the rows that it writes. */
  readonly locksRows: boolean;
  /** All callers share one connection and one query runner, so they share its transactions, too. */
  readonly sharesConnection: boolean;
  /**
   * An UPDATE that leaves the key alone takes a weaker lock (`FOR NO KEY UPDATE`), which lets another
   * transaction insert a row that refers to the locked one.
   */
  readonly hasWeakLocks: boolean;
  /** An UPDATE can skip locked rows by itself, and tells with `RETURNING` which rows it wrote. */
  readonly updatesUnlocked: boolean;
  /** The planner may scan and lock a small table unless the statement names the index. */
  readonly needsIndexHint: boolean;
  /** The option of the driver's pool for its size, in `extra`. */
  readonly poolSizeOption: 'max' | 'connectionLimit' | undefined;
}

const UNKNOWN: Capabilities = {
  locksRows: false,
  sharesConnection: false,
  hasWeakLocks: false,
  updatesUnlocked: false,
  needsIndexHint: false,
  poolSizeOption: undefined,
};
const SHARED: Capabilities = { ...UNKNOWN, sharesConnection: true };
const MYSQL: Capabilities = {
  ...UNKNOWN,
  locksRows: true,
  needsIndexHint: true,
  poolSizeOption: 'connectionLimit',
};

const capabilities: Readonly<Record<string, Capabilities>> = {
  postgres: {
    ...UNKNOWN,
    locksRows: true,
    hasWeakLocks: true,
    updatesUnlocked: true,
    poolSizeOption: 'max',
  },
  mysql: MYSQL,
  mariadb: MYSQL,
  'better-sqlite3': SHARED,
  sqlite: SHARED,
  sqljs: SHARED,
  capacitor: SHARED,
  cordova: SHARED,
  expo: SHARED,
  nativescript: SHARED,
  'react-native': SHARED,
};

/** Total: a driver that is not listed has none of the capabilities. */
export const capabilitiesOf = ({ options: { type } }: DataSource): Capabilities =>
  capabilities[type] ?? UNKNOWN;
