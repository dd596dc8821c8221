import type { QueryRunner } from 'typeorm';
import type { PendingSyncStore } from '../../../lib/pending/pending-sync.store.js';

/** What one case of a contract works on. Every case asks for a fresh one, with nothing stored in it. */
export interface ContractSubject {
  readonly store: PendingSyncStore;
  /**
   * Another process's store on the same storage, for the races; without it they are run between two calls of
   * one store.
   */
  readonly peer?: PendingSyncStore;
  /**
   * Lets milliseconds pass for the store. Without it the case waits for real: then make the contract with a
   * short `span`.
   */
  pass?(milliseconds: number): Promise<void>;
  /**
   * Runs work in an open transaction, which is rolled back if the work throws; the error comes through.
   * Durable stores only.
   */
  transaction?(work: (runner: QueryRunner) => Promise<void>): Promise<void>;
  /** Frees what belongs to this subject. */
  close?(): Promise<void>;
}

/** @param options `ttl` is what the store's ttl has to be, in seconds; null: nothing expires */
export type OpenSubject = (options: { readonly ttl: number | null }) => Promise<ContractSubject>;

/** One rule of a port, as a test for any runner: it resolves, or rejects with an `AssertionError`. */
export interface ContractCase {
  readonly name: string;
  readonly run: (open: OpenSubject) => Promise<void>;
}
