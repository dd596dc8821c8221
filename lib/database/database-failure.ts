import { QueryFailedError, TypeORMError } from 'typeorm';
import { causesOf } from '../errors/causes-of.js';

/**
 * SQLSTATE classes of failures that pass: connection, transaction rollback, resources, operator intervention,
 * system; and a lock that was not available.
 */
const PASSING_STATES = /^(08|40|53|57|58|55P03)/;

/** The same as codes of MySQL drivers. */
const PASSING_CODES: ReadonlySet<unknown> = new Set([
  'ER_LOCK_DEADLOCK',
  'ER_LOCK_WAIT_TIMEOUT',
  'ER_CON_COUNT_ERROR',
  'ER_SERVER_SHUTDOWN',
  'ER_QUERY_INTERRUPTED',
  'ER_STATEMENT_TIMEOUT',
  'PROTOCOL_CONNECTION_LOST',
]);

const PASSING_SQLITE = /^SQLITE_(BUSY|LOCKED|IOERR|FULL|CANTOPEN|NOMEM|PROTOCOL)/;

/** Errors of a connection, to any server. */
const CONNECTION_CODES = /^(ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;
/** Errors of `pg` and its pool that have no code. */
const CONNECTION_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Cannot use a pool after calling end)/;

const TAKEN_CODES: ReadonlySet<unknown> = new Set([
  '23505',
  '55P03',
  'ER_LOCK_WAIT_TIMEOUT',
  'ER_DUP_ENTRY',
  'SQLITE_CONSTRAINT_PRIMARYKEY',
  'SQLITE_CONSTRAINT_UNIQUE',
]);

interface Coded {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly driverError?: unknown;
}

/** Whether an error comes from TypeORM, or from the database below it. */
export const isDatabaseError = (error: unknown): boolean =>
  chainOf(error).some((one) => one instanceof TypeORMError || isOfSqlite(one) || isConnectionError(one));

/** Whether the database refused a statement for its content, so that it would refuse it again. */
export const isRefusedStatement = (error: unknown): boolean => {
  const chain = chainOf(error);
  const isRefused = chain.some((one) => one instanceof QueryFailedError || isOfSqlite(one));
  return isRefused && !chain.some(isPassing);
};

/** Whether the connection to a server failed, of whatever kind the server is. */
export const isConnectionLost = (error: unknown): boolean => chainOf(error).some(isConnectionError);

/** Whether a statement failed for a reason that passes: the database is away, or busy. */
export const isPassingFailure = (error: unknown): boolean => {
  const chain = chainOf(error);
  return chain.some((one) => one instanceof QueryFailedError || isOfSqlite(one)) && chain.some(isPassing);
};

/** Whether another row has the key of one that was to be inserted, or another transaction is inserting it. */
export const isTakenKey = (error: unknown): boolean =>
  chainOf(error).some(({ code }) => TAKEN_CODES.has(code));

const isPassing = (error: Coded): boolean =>
  PASSING_CODES.has(error.code) ||
  isConnectionError(error) ||
  (typeof error.code === 'string' && (PASSING_STATES.test(error.code) || PASSING_SQLITE.test(error.code)));

/** An error of a statement that went to the driver without TypeORM. */
const isOfSqlite = ({ code }: Coded): boolean => typeof code === 'string' && code.startsWith('SQLITE_');

const isConnectionError = ({ code, message }: Coded): boolean =>
  (typeof code === 'string' && CONNECTION_CODES.test(code)) ||
  (typeof message === 'string' && CONNECTION_MESSAGES.test(message));

/** The error and its causes, the driver's own error included. */
const chainOf = (error: unknown): Coded[] => [
  ...(causesOf(error, (one) => (one as Coded).driverError ?? (one as Coded).cause) as Generator<Coded>),
];
