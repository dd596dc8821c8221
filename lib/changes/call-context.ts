import { AsyncLocalStorage } from 'node:async_hooks';
import type { QueryRunner } from 'typeorm';
import { CommittedBatch } from '../sync/committed-batch.js';

/**
 * One call of the application into TypeORM, and what it committed. Its caller waits for the sync, and hears
 * of an auth failure.
 */
export class ManagedCall {
  readonly committed = new CommittedBatch();
  /** Where its transaction runs. */
  runner: QueryRunner | undefined;
  /** Until the call returns: what it started and did not wait for has to look after its own commits. */
  isOpen = true;

  /** @param version of the dispatcher when the call began */
  constructor(readonly version: number) {}
}

/** A write whose rows are looked up. */
export interface CapturedWrite {
  readonly target: unknown;
  /** What an upsert offers; its events do not tell which rows took it. */
  readonly values: readonly unknown[];
}

/** What is known of a call into TypeORM while it runs. */
export interface Call {
  readonly scope: ManagedCall | undefined;
  /** Entities are saved whose relations write nothing else. */
  readonly isAlone: boolean;
  /** Instances do not learn what the database set (`save(x, { reload: false })`). */
  readonly isUnreloaded: boolean;
  /** The events of this write are not reported, as they name no rows. */
  readonly captured: CapturedWrite | undefined;
}

const NOTHING: Call = { scope: undefined, isAlone: false, isUnreloaded: false, captured: undefined };

const calls = new AsyncLocalStorage<Call>();

/** Runs `fn` with more known of it than of the call that it is part of. */
export const during = <T>(known: Partial<Call>, fn: () => T): T =>
  calls.run({ ...callContext(), ...known }, fn);

export const callContext = (): Call => calls.getStore() ?? NOTHING;

export const currentManagedCall = (): ManagedCall | undefined => {
  const { scope } = callContext();
  return scope?.isOpen ? scope : undefined;
};
