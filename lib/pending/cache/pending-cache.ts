import { createCache } from 'cache-manager';
import { PendingCacheError } from '../../errors/pending-cache.error.js';
import { reasonOf } from '../../errors/reason-of.js';
import type { PendingSyncCache } from '../../model/options.js';
import { KeyedQueue } from '../../runtime/keyed-queue.js';
import { type Keyv, outlivesProcess, storesOf, throwErrors } from '../../runtime/keyv-stores.js';
import { within } from '../../runtime/within.js';

/** In ms. A cache that has not answered by then counts as failed. */
const PATIENCE = 5_000;
/**
 * In ms. For so long, a cache that did not answer is not asked again. Otherwise every save would wait for it.
 */
const PAUSE = 5_000;
/** Overrides a default ttl of the cache, because a value without a ttl must not expire by that. */
const NO_TTL = 0;

export interface PendingCacheConfig {
  /** Default: the memory of this process. */
  readonly cache?: PendingSyncCache | undefined;
  /** Whether its values outlive the process. Default: what its adapters tell; false if they do not. */
  readonly outlivesProcess?: boolean | undefined;
  /** How long the cache may take to answer, in ms. Default 5000. */
  readonly patience?: number;
}

/**
 * The values of pending syncs, in a cache that the application provides. It calls the Keyv stores directly:
 * `cache.get` reports an error as a missing value. That would read as "nothing is pending", and the next
 * write would make it true.
 */
export class PendingCache {
  readonly outlivesProcess: boolean;
  /** Whether its values are in Maps of this process, which answer at once and list their keys. */
  readonly isInMaps: boolean;
  private readonly stores: readonly Keyv[];
  private readonly patience: number;
  /** One request per key at a time, because a late write must not overwrite a newer one. */
  private readonly order = new KeyedQueue();
  private pausedUntil = -Infinity;

  constructor({ cache = createCache(), patience = PATIENCE, ...config }: PendingCacheConfig = {}) {
    this.stores = storesOf(cache);
    this.patience = patience;
    this.outlivesProcess = config.outlivesProcess ?? outlivesProcess(this.stores) ?? false;
    this.isInMaps = this.stores.every(({ store }) => store instanceof Map);
    this.stores.forEach(throwErrors);
  }

  /** @returns undefined if there is no value */
  get(key: string): Promise<unknown> {
    return this.ask('read', key, async () => {
      for (const keyv of this.stores) {
        const value = await keyv.get<unknown>(key);
        if (value !== undefined && value !== null) return value;
      }
      return undefined;
    });
  }

  /** @param milliseconds how long the cache keeps it; null until it is deleted */
  set(key: string, value: unknown, milliseconds: number | null): Promise<void> {
    return this.ask('write', key, async () => {
      const stored = await Promise.all(
        this.stores.map((keyv) => keyv.set(key, value, milliseconds ?? NO_TTL)),
      );
      if (stored.includes(false)) throw new Error('it did not store the value');
    });
  }

  delete(key: string): Promise<void> {
    return this.ask('delete', key, async () => {
      await Promise.all(this.stores.map((keyv) => keyv.delete(key)));
    });
  }

  /** All keys in Maps, including any prefix that the cache adds. */
  keysInMaps(): string[] {
    return this.stores.flatMap(({ store }) => (store instanceof Map ? [...store.keys()].map(String) : []));
  }

  private async ask<T>(what: string, key: string, request: () => Promise<T>): Promise<T> {
    try {
      return this.isInMaps ? await request() : await this.inTime(key, request);
    } catch (error) {
      if (error instanceof SyntaxError) throw unreadable(key, error);
      throw new PendingCacheError(
        `The cache of pending syncs failed to ${what} '${key}': ${reasonOf(error)}.`,
        { cause: error },
      );
    }
  }

  private async inTime<T>(key: string, request: () => Promise<T>): Promise<T> {
    const silent = `it did not answer within ${this.patience} ms`;
    if (performance.now() < this.pausedUntil) throw new Error(silent);
    let isOver = false;
    const answer = this.order.run(key, () => (isOver ? Promise.reject(new Error(silent)) : request()));
    if (await within(this.patience, answer)) return answer;
    isOver = true;
    this.pausedUntil = performance.now() + PAUSE;
    throw new Error(silent);
  }
}

/** There is a value that this release cannot use. It is left as it is, because another release may use it. */
export class UnreadableValueError extends PendingCacheError {}

export const unreadable = (key: string, cause?: unknown): UnreadableValueError =>
  new UnreadableValueError(
    `The cache holds a value under '${key}' that this version of nestjs-parity cannot read. It is left alone: start ` +
      'the version that wrote it, or delete the key (removeForDid does) and run ParityService.reconcile().',
    { cause },
  );
