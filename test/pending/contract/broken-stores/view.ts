import type { BrokenRule } from './rule.js';

export const brokenByView: readonly BrokenRule[] = [
  {
    breaks: 'shows what is done with as pending',
    fails: 'inspect gives the pending sync or dead letter of an address, or null',
    rule: (good) => {
      const seen = new Map<string, Awaited<ReturnType<typeof good.inspect>>>();
      return {
        inspect: async (uri) => {
          const kept = (await good.inspect(uri)) ?? seen.get(uri) ?? null;
          seen.set(uri, kept);
          return kept;
        },
      };
    },
  },
  {
    breaks: 'takes every entry that ever failed for tried',
    fails: 'inspect tells whether an entry was attempted since its last capture',
    rule: (good) => ({
      inspect: async (uri) => {
        const kept = await good.inspect(uri);
        return kept && { ...kept, tried: kept.sync.lastError !== null };
      },
    }),
  },
  {
    breaks: 'does not say what an entry waits for',
    fails: 'inspect tells what an entry waits for',
    rule: (good) => ({
      inspect: async (uri) => {
        const kept = await good.inspect(uri);
        return kept && { ...kept, needsSession: false, backlog: false };
      },
    }),
  },
  {
    breaks: 'counts no backfill',
    fails: 'stats counts pending syncs, parked and leased lanes, if it can',
    rule: (good) => {
      let backfill = 0;
      return {
        capture: (changes) => {
          backfill += changes.filter((change) => change.backfill).length;
          return good.capture(changes);
        },
        stats: async () => {
          const stats = await good.stats();
          return stats && { ...stats, pending: stats.pending - backfill };
        },
      };
    },
  },
  ...[
    'a discarded entry is a dead letter until it is requeued',
    'dead letters come in pages, oldest first, and can be purged',
    'written gives the addresses with a record and nothing pending, in pages',
  ].map((fails) => ({
    breaks: 'says that it is durable, and forgets what is done with',
    fails,
    rule: () => ({ durable: true }),
  })),
];
