import { CachePendingSyncStore } from '../../../lib/pending/cache/cache-pending-sync.store.js';
import type { PendingSyncStore } from '../../../lib/pending/pending-sync.store.js';
import { brokenByAccount } from './broken-stores/account.js';
import { brokenByBacklog } from './broken-stores/backlog.js';
import { brokenByBackfill } from './broken-stores/backfill.js';
import { brokenByHand } from './broken-stores/by-hand.js';
import { brokenByCapture } from './broken-stores/capture.js';
import { brokenByEnter } from './broken-stores/enter.js';
import { brokenByLane } from './broken-stores/lane.js';
import { brokenByLeft } from './broken-stores/left.js';
import type { BrokenRule } from './broken-stores/rule.js';
import { brokenByTry } from './broken-stores/try.js';
import { brokenByView } from './broken-stores/view.js';
import { brokenByUnlessSettled } from './broken-stores/unless-settled.js';
import type { OpenSubject } from './contract-case.js';

/** A store that breaks one rule, to see that the contract notices. */
export interface BrokenPendingSyncStore {
  /** What it does wrong: "a store that ...". */
  readonly breaks: string;
  /** The name of the case that it has to fail. */
  readonly fails: string;
  readonly open: OpenSubject;
}

const opens =
  (rule: BrokenRule['rule']): OpenSubject =>
  async ({ ttl }) => {
    let passed = 0;
    const good = new CachePendingSyncStore({ ttl, now: () => Date.now() + passed });
    return {
      store: withRule(good, rule(good)),
      pass: async (milliseconds) => void (passed += milliseconds),
      transaction: (work) => work({} as Parameters<typeof work>[0]),
    };
  };

function withRule(good: PendingSyncStore, broken: Partial<PendingSyncStore>): PendingSyncStore {
  return new Proxy(good, {
    get: (_, key) => {
      const owner = key in broken ? broken : good;
      const value: unknown = Reflect.get(owner, key);
      return typeof value === 'function' ? value.bind(owner) : value;
    },
  });
}

/** Run against the contract made with `durable: true`. */
export const brokenPendingSyncStores: readonly BrokenPendingSyncStore[] = [
  ...brokenByCapture,
  ...brokenByHand,
  ...brokenByUnlessSettled,
  ...brokenByTry,
  ...brokenByLane,
  ...brokenByEnter,
  ...brokenByBacklog,
  ...brokenByBackfill,
  ...brokenByLeft,
  ...brokenByAccount,
  ...brokenByView,
].map(({ breaks, fails, rule }) => ({ breaks, fails, open: opens(rule) }));
