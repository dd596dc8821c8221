import { AsyncLocalStorage } from 'node:async_hooks';
import type { Touch } from '../sync/change.js';

/** One call of the application into TypeORM, and what it committed. Its caller waits for the sync, and hears of an auth failure. */
export class CommitScope {
  readonly committed: Touch[] = [];
}

const scopes = new AsyncLocalStorage<CommitScope>();
const captured = new AsyncLocalStorage<true>();

export const currentScope = (): CommitScope | undefined => scopes.getStore();

export const inScope = <T>(scope: CommitScope, fn: () => T): T => scopes.run(scope, fn);

/** Inside, a write by criteria is not reported: its rows are known. */
export const withRowsCaptured = <T>(fn: () => T): T => captured.run(true, fn);

export const areRowsCaptured = (): boolean => captured.getStore() === true;
