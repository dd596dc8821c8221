import { AsyncLocalStorage } from 'node:async_hooks';
import type { AuthenticationError } from '../errors/authentication.error.js';
import { CommittedBatch } from '../sync/committed-batch.js';

/** A change feed, or another source of writes, that dispatches them when the unit ends. */
export interface UnitParticipant {
  /** @returns the auth failure to throw, if there is one */
  dispatchUnit(batch: CommittedBatch): Promise<AuthenticationError | undefined>;
}

const units = new AsyncLocalStorage<UnitOfWork>();

/**
 * Holds back what is committed inside it, so that all of it is synced together: one write per account,
 * however many saves.
 */
class UnitOfWork {
  private readonly committed = new Map<UnitParticipant, CommittedBatch>();
  isOpen = true;

  add(feed: UnitParticipant, batch: CommittedBatch): void {
    let all = this.committed.get(feed);
    if (!all) this.committed.set(feed, (all = new CommittedBatch()));
    all.add(batch);
  }

  async end(): Promise<AuthenticationError | undefined> {
    this.isOpen = false;
    const failures = await Promise.all([...this.committed].map(([feed, batch]) => feed.dispatchUnit(batch)));
    return failures.find((failure) => failure !== undefined);
  }
}

/** The unit of the current call. Work that a unit left running when it ended belongs to none. */
export function currentUnit(): UnitOfWork | undefined {
  const unit = units.getStore();
  return unit?.isOpen ? unit : undefined;
}

/**
 * Runs `fn`, syncs all that it committed, then resolves with its result. A unit inside a unit is part of the
 * outer one. If `fn` throws, what it had committed is still synced, and then its error is thrown.
 *
 * @throws AuthenticationError if an account has to act; what was committed stays
 */
export async function unitOfWork<T>(fn: () => T | Promise<T>): Promise<T> {
  if (currentUnit()) return fn();
  const unit = new UnitOfWork();
  let result: T;
  try {
    result = await units.run(unit, async () => fn());
  } catch (error) {
    await unit.end();
    throw error;
  }
  const failure = await unit.end();
  if (failure) throw failure;
  return result;
}
