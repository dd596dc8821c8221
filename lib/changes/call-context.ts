import { AsyncLocalStorage } from 'node:async_hooks';
import type { QueryRunner } from 'typeorm';
import { CommittedBatch } from '../sync/committed-batch.js';

/**
 * One call of the application into TypeORM, and the writes that it committed. Its caller waits for the sync,
 * and gets an auth failure as an error.
 */
export class ManagedCall {
  readonly committed = new CommittedBatch();
  /** The connection of its transaction. */
  runner: QueryRunner | undefined;
  /**
   * False once the call has returned. Work that it started and did not wait for then handles its own commits.
   */
  isOpen = true;

  /** @param version the dispatcher's, when the call began */
  constructor(readonly version: number) {}
}

/** A write whose rows the module looks up itself. */
export interface CapturedWrite {
  readonly target: unknown;
  /** The values of an upsert. Its events do not tell which rows took them. */
  readonly values: readonly unknown[];
}

/** What is known of a call into TypeORM while it runs. */
export interface Call {
  readonly scope: ManagedCall | undefined;
  /** The saved entities have no relations through which saving them writes other rows. */
  readonly isAlone: boolean;
  /** Instances do not get the values that the database set (`save(x, { reload: false })`). */
  readonly isUnreloaded: boolean;
  /** Events of this write are ignored, because they name no rows. */
  readonly captured: CapturedWrite | undefined;
}

const NOTHING: Call = { scope: undefined, isAlone: false, isUnreloaded: false, captured: undefined };

const calls = new AsyncLocalStorage<Call>();

/** Runs `fn` with this knowledge added to that of the surrounding call. */
export const during = <T>(known: Partial<Call>, fn: () => T): T =>
  calls.run({ ...callContext(), ...known }, fn);

export const callContext = (): Call => calls.getStore() ?? NOTHING;

export const currentManagedCall = (): ManagedCall | undefined => {
  const { scope } = callContext();
  return scope?.isOpen ? scope : undefined;
};
