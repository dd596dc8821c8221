import { reasonOf } from '../../errors/reason-of.js';
import type { PendingSyncCache } from '../../model/options.js';
import { InMemoryRepositoryStateStore } from '../../pds/in-memory-repository-state.store.js';
import { type RepositoryState, RepositoryStateStore } from '../../pds/repository-state.store.js';
import { isRecord } from './is-record.js';
import { PendingCache } from './pending-cache.js';

const PREFIX = 'parity:repository:';
/** Format of the value below. */
const FORMAT = 1;
/** In ms. A head can be asked for again, and the longest limit of write points lasts a day. */
const CALM_LIFE = 24 * 60 * 60 * 1_000;

export interface CacheRepositoryStateConfig {
  readonly cache: PendingSyncCache;
  readonly warn: (message: string) => void;
  /** How long the cache may take to answer, in ms. Default 5000. */
  readonly patience?: number;
}

/**
 * Remembers repositories in this process, and in a cache that outlives it, so that a request which a killed
 * process left behind is fenced by the next process. A cache that fails neither delays nor fails a write: the
 * process still knows what it has sent. Only a process that dies meanwhile forgets it.
 */
export class CacheRepositoryStateStore extends RepositoryStateStore {
  private readonly memory = new InMemoryRepositoryStateStore();
  private readonly cache: PendingCache;
  private readonly warn: (message: string) => void;

  constructor({ warn, ...access }: CacheRepositoryStateConfig) {
    super();
    this.warn = warn;
    this.cache = new PendingCache(access);
  }

  async load(did: string): Promise<RepositoryState | null> {
    const known = await this.memory.load(did);
    if (known) return known;
    const found = await this.read(did);
    // A request may have been sent while the cache was read.
    const newer = await this.memory.load(did);
    if (newer || !found) return newer;
    await this.memory.settled(did, found);
    return found;
  }

  async sending(did: string, state: RepositoryState): Promise<void> {
    await this.memory.sending(did, state);
    await this.write(did, state);
  }

  async settled(did: string, state: RepositoryState): Promise<void> {
    await this.memory.settled(did, state);
    await this.write(did, state);
  }

  private async read(did: string): Promise<RepositoryState | null> {
    try {
      const value = await this.cache.get(PREFIX + did);
      return isRecord(value) && value['format'] === FORMAT && isState(value['state']) ? value['state'] : null;
    } catch (error) {
      this.failed(did, error);
      return null;
    }
  }

  private async write(did: string, state: RepositoryState): Promise<void> {
    const isCalm = state.inFlight === null && Object.keys(state.unsettled).length === 0;
    await this.cache
      .set(PREFIX + did, { format: FORMAT, state }, isCalm ? CALM_LIFE : null)
      .catch((error: unknown) => this.failed(did, error));
  }

  private failed(did: string, error: unknown): void {
    this.warn(
      `What is sent to the repository of ${did} is remembered by this process only: ${reasonOf(error)}`,
    );
  }
}

const isState = (value: unknown): value is RepositoryState =>
  isRecord(value) &&
  (value['head'] === null || typeof value['head'] === 'string') &&
  (value['inFlight'] === null || isRequest(value['inFlight'])) &&
  isRecord(value['unsettled']) &&
  Object.values(value['unsettled']).every(Array.isArray) &&
  Array.isArray(value['spentPoints']);

const isRequest = (value: unknown): boolean =>
  isRecord(value) &&
  typeof value['head'] === 'string' &&
  typeof value['until'] === 'number' &&
  isRecord(value['cids']);
