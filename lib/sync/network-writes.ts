import { AsyncLocalStorage } from 'node:async_hooks';
import type { RecordRow } from '../entities/row-write.js';

/** What the record columns of a row are written with that follows its record. */
export interface AppliedState extends RecordRow {
  readonly syncedAt: Date | null;
}

const applying = new AsyncLocalStorage<ReadonlyMap<object, AppliedState>>();

/**
 * Runs a write of instances that follow their records. The write is no change of the application, so it is not
 * published. Writes of other instances inside it are.
 *
 * @param states by instance; null columns for a row that loses its record
 */
export const whileApplying = <T>(states: ReadonlyMap<object, AppliedState>, write: () => T): T =>
  applying.run(states, write);

/** The state of an instance that is written because of its record; undefined for any other. */
export const appliedState = (instance: object | undefined): AppliedState | undefined =>
  instance && applying.getStore()?.get(instance);

/** Runs an admission. Nothing that the application's code changes in it is waited for. */
export const duringAdmission = <T>(admission: () => T): T => applying.run(new Map(), admission);

/** Whether the code is called by an admission. */
export const isAdmitting = (): boolean => applying.getStore() !== undefined;
