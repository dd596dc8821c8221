import type { PendingSync } from '../../../../lib/model/pending-sync.js';
import { type BrokenRule } from './rule.js';

export const brokenByAccount: readonly BrokenRule[] = [
  {
    breaks: 'hides the pending syncs of a parked account',
    fails: 'the pending syncs of a parked account can be read',
    rule: (good) => ({
      forDid: async (did) => ((await good.lane(did)).park ? [] : good.forDid(did)),
    }),
  },
  {
    breaks: 'says that it removed what was not there',
    fails: 'remove tells whether there was one',
    rule: (good) => ({
      remove: async (id) => {
        await good.remove(id);
        return true;
      },
    }),
  },
  {
    breaks: 'leaves something of an account that is removed',
    fails: 'removeForDid removes all of one account, and counts them',
    rule: (good) => ({
      removeForDid: async (did) => {
        const [first] = await good.forDid(did);
        return first && (await good.remove(first.id)) ? 1 : 0;
      },
    }),
  },
  {
    breaks: 'gives dates that JSON makes text of',
    fails: 'a pending sync survives JSON',
    rule: (good) => ({
      forDid: async (did) => {
        const syncs: PendingSync[] = [];
        for (const sync of await good.forDid(did)) {
          syncs.push({ ...sync, createdAt: new Date(sync.createdAt) as unknown as string });
        }
        return syncs;
      },
    }),
  },
  {
    breaks: 'hands out what it keeps',
    fails: 'changing a returned pending sync changes nothing in the store',
    rule: (good) => {
      const kept = new Map<string, PendingSync>();
      return {
        forDid: async (did) => {
          for (const sync of await good.forDid(did)) kept.set(sync.id, { ...sync });
          return [...kept.values()];
        },
        find: async (id) => kept.get(id) ?? null,
      };
    },
  },
  {
    breaks: 'gives up what expires without a word',
    fails: 'cleanup gives up entries older than the ttl',
    rule: (good) => ({
      cleanup: async () => {
        await good.cleanup();
        return [];
      },
    }),
  },
  {
    breaks: 'expires whatever there is',
    fails: 'cleanup leaves entries younger than the ttl',
    rule: (good) => {
      const dids = new Set<string>();
      return {
        capture: (changes) => {
          for (const { address } of changes) dids.add(address.did);
          return good.capture(changes);
        },
        cleanup: async () => {
          const syncs = (await Promise.all([...dids].map((did) => good.forDid(did)))).flat();
          for (const did of dids) await good.removeForDid(did);
          return syncs.map((sync) => ({ sync, reason: 'ttl' }));
        },
      };
    },
  },
  {
    breaks: 'expires unpublishes',
    fails: 'an unpublish never expires',
    rule: (good) => ({
      capture: (changes) => good.capture(changes.map((change) => ({ ...change, operation: 'publish' }))),
    }),
  },
  {
    breaks: 'cleans up everything in one call',
    fails: 'cleanup is bounded, and empty when there is nothing more to do',
    rule: (good) => ({
      cleanup: async () => {
        const all = await good.cleanup();
        for (let more = all; more.length > 0; more = await good.cleanup())
          if (more !== all) all.push(...more);
        return all;
      },
    }),
  },
];
