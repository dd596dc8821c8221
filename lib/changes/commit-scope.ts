import { AsyncLocalStorage } from 'node:async_hooks';
import type { Touch } from '../sync/change.js';

/** One call of the application into TypeORM, and what it committed. Its caller waits for the sync, and hears of an auth failure. */
export class CommitScope {
  readonly committed: Touch[] = [];
  /** Until the call returns: what it started and did not wait for has to look after its own commits. */
  isOpen = true;

  /** @param settledCount of the dispatcher when the call began */
  constructor(readonly settledCount: number) {}
}

/** A write whose rows are looked up. */
export interface CapturedWrite {
  readonly target: unknown;
  /** What an upsert offers; its events do not tell which rows took it. */
  readonly values: readonly unknown[];
}

const scopes = new AsyncLocalStorage<CommitScope>();
const captured = new AsyncLocalStorage<CapturedWrite>();
const alone = new AsyncLocalStorage<boolean>();
const unreloaded = new AsyncLocalStorage<true>();

export const currentScope = (): CommitScope | undefined => {
  const scope = scopes.getStore();
  return scope?.isOpen ? scope : undefined;
};

export const inScope = <T>(scope: CommitScope, fn: () => T): T => scopes.run(scope, fn);

/** Inside, instances do not learn what the database set (`save(x, { reload: false })`). */
export const withoutReload = <T>(fn: () => T): T => unreloaded.run(true, fn);

export const isReloadOff = (): boolean => unreloaded.getStore() === true;

/** Inside, entities are saved whose relations write nothing else; or, in a hook of such a save, something else is written. */
export const whileSaved = <T>(isAlone: boolean, fn: () => T): T =>
  isAlone || isSavedAlone() ? alone.run(isAlone, fn) : fn();

export const isSavedAlone = (): boolean => alone.getStore() === true;

/** Inside, the events of this write are not reported, as they name no rows. */
export const whileCaptured = <T>(write: CapturedWrite, fn: () => T): T => captured.run(write, fn);

export const isCapturedTarget = (target: unknown): boolean => captured.getStore()?.target === target;

export const isCapturedValue = (value: unknown): boolean =>
  captured.getStore()?.values.includes(value) ?? false;
