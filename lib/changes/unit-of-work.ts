import { AsyncLocalStorage } from 'node:async_hooks';
import type { AuthenticationError } from '../errors/authentication.error.js';
import type { EntityWrite } from '../sync/change.js';

/** What a unit asks of each change feed when it ends. */
export interface UnitParticipant {
  /** @returns the auth failure to throw, if there is one */
  dispatchUnit(writes: readonly EntityWrite[]): Promise<AuthenticationError | undefined>;
}

const units = new AsyncLocalStorage<UnitOfWork>();

/** Holds back what is committed inside, so that it is synced together: one write per account, however many saves. */
class UnitOfWork {
  private readonly committed = new Map<UnitParticipant, EntityWrite[]>();
  isOpen = true;

  add(feed: UnitParticipant, writes: readonly EntityWrite[]): void {
    const before = this.committed.get(feed);
    if (before) before.push(...writes);
    else this.committed.set(feed, [...writes]);
  }

  async end(): Promise<AuthenticationError | undefined> {
    this.isOpen = false;
    const failures = await Promise.all(
      [...this.committed].map(([feed, writes]) => feed.dispatchUnit(writes)),
    );
    return failures.find((failure) => failure !== undefined);
  }
}

/** The unit that this call belongs to; what a unit has left running when it ended belongs to none. */
export function currentUnit(): UnitOfWork | undefined {
  const unit = units.getStore();
  return unit?.isOpen ? unit : undefined;
}

/**
 * Runs `fn`, then syncs all that it committed, and resolves with its result. A unit inside a unit is part of it.
 * If `fn` throws, what it had committed is synced all the same, and its error is thrown.
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
