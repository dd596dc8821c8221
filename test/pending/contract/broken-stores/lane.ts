import type { Lease } from '../../../../lib/pending/pending-entry.js';
import { type BrokenRule, holders } from './rule.js';

const FOR_EVER = 1e12;

export const brokenByLane: readonly BrokenRule[] = [
  {
    breaks: 'gives the same lane twice',
    fails: 'a leased lane is given to no other worker',
    rule: (good) => {
      const { enter, holderOf } = holders(good);
      return {
        enter: async (did, uris, options) => {
          const entered = await enter(did, uris, options);
          return { ...entered, lease: entered.lease ?? holderOf({ did, token: 0, endsAt: 0 }) };
        },
      };
    },
  },
  {
    breaks: 'looks whether a lane is free before it takes it',
    fails: 'of several workers that ask for a lane at once, one gets it',
    rule: (good) => {
      const taken = new Map<string, Lease>();
      return {
        enter: async (did, uris, options) => {
          const isTaken = taken.has(did);
          const entered = await good.enter(did, uris, options);
          if (isTaken) return entered;
          if (entered.lease) taken.set(did, entered.lease);
          return { ...entered, lease: entered.lease ?? taken.get(did) ?? null };
        },
        release: async (lease, next) => {
          taken.delete(lease.did);
          await good.release(lease, next);
        },
      };
    },
  },
  {
    breaks: 'gives the same token with every lease',
    fails: 'tokens grow with every lease',
    rule: (good) => {
      const { enter, holderOf } = holders(good);
      return {
        enter: async (...asked) => {
          const entered = await enter(...asked);
          return { ...entered, lease: entered.lease && { ...entered.lease, token: 1 } };
        },
        release: (given, next) => good.release(holderOf(given), next),
      };
    },
  },
  {
    breaks: 'never ends a lease',
    fails: 'a lease that has ended can be taken',
    rule: (good) => ({ enter: (did, uris) => good.enter(did, uris, { milliseconds: FOR_EVER }) }),
  },
  {
    breaks: 'prolongs a lease by nothing',
    fails: 'an extended lease lasts longer',
    rule: () => ({
      extend: async (lease, milliseconds) => ({ ...lease, endsAt: lease.endsAt + milliseconds }),
    }),
  },
  {
    breaks: 'prolongs the lease of a former holder',
    fails: 'a lease that another worker has taken over cannot be extended',
    rule: (good) => {
      const { enter, holderOf } = holders(good);
      return { enter, extend: (stale, milliseconds) => good.extend(holderOf(stale), milliseconds) };
    },
  },
  {
    breaks: 'lets a former holder give the lane back',
    fails: 'release changes nothing once another worker has taken the lane over',
    rule: (good) => {
      const { enter, holderOf } = holders(good);
      return { enter, release: (stale, next) => good.release(holderOf(stale), next) };
    },
  },
  {
    breaks: 'forgets that a lane backs off',
    fails: 'a lane that is backed off is not ready before its time',
    rule: (good) => ({ release: (lease, { failures }) => good.release(lease, { next: 'asleep', failures }) }),
  },
  {
    breaks: 'takes a parked lane for ready',
    fails: 'a parked lane is not ready before unpark',
    rule: (good) => {
      const parked = new Set<string>();
      return {
        park: async (did, park) => {
          parked.add(did);
          await good.park(did, park);
        },
        readyLanes: async (limit) => [...(await good.readyLanes(limit)), ...parked],
      };
    },
  },
  {
    breaks: 'touches the entries of a lane that it parks',
    fails: 'park keeps its reason, session and code, and changes no entry',
    rule: (good) => ({
      park: async (did, park) => {
        for (const { uri } of await good.forDid(did)) await good.capture(await good.at(did, [uri]));
        await good.park(did, park);
      },
    }),
  },
  {
    breaks: 'retries the backlog unasked',
    fails: 'after unpark without retry, only later changes are due',
    rule: (good) => ({ unpark: (did) => good.unpark(did, { retry: true }) }),
  },
  {
    breaks: 'leaves the backlog for ever',
    fails: 'unpark with retry frees the backlog of earlier unparks',
    rule: (good) => ({ unpark: (did) => good.unpark(did, { retry: false }) }),
  },
  {
    breaks: 'takes a lane with nothing but backlog for ready',
    fails: 'backlog alone makes no lane ready',
    rule: (good) => {
      const woken = new Set<string>();
      return {
        wake: async (did) => void woken.add(did),
        readyLanes: async () => {
          const found: string[] = [];
          for (const did of woken) {
            if ((await good.due(did, { limit: 1, backlog: true })).length > 0) found.push(did);
          }
          return found;
        },
      };
    },
  },
  {
    breaks: 'takes a leased lane for ready',
    fails: 'a leased lane is not ready before it is given back',
    rule: (good) => {
      const { enter, held } = holders(good);
      return {
        enter,
        readyLanes: async (limit) => {
          const ready = await good.readyLanes(limit);
          const leased = [...held.values()].map(({ did }) => did);
          return [...new Set([...ready, ...leased])];
        },
      };
    },
  },
  {
    breaks: 'takes whatever has entries for ready',
    fails: 'a lane that was not woken is not ready, whatever it holds',
    rule: (good) => ({
      capture: async (changes) => {
        const left = await good.capture(changes);
        for (const { address } of changes) await good.wake(address.did);
        return left;
      },
    }),
  },
  {
    breaks: 'tries again at once what has failed',
    fails: 'a lane that is given back sleeps until it is woken',
    rule: (good) => ({
      release: async (lease, next) => {
        await good.release(lease, next);
        await good.wake(lease.did);
      },
    }),
  },
  {
    breaks: 'lets a lane that was given back sleep for ever',
    fails: 'a lane that is given back sleeps until it is unparked with retry',
    rule: (good) => {
      const asleep = new Set<string>();
      return {
        release: (lease, next) => {
          asleep.add(lease.did);
          return good.release(lease, next);
        },
        readyLanes: async (limit) => (await good.readyLanes(limit)).filter((did) => !asleep.has(did)),
      };
    },
  },
  {
    breaks: 'forgets who was woken while the lane was leased',
    fails: 'a wake while the lane is leased makes it ready afterwards',
    rule: (good) => {
      const { enter, held } = holders(good);
      return {
        enter,
        wake: async (did) => (held.has(did) ? undefined : good.wake(did)),
      };
    },
  },
  {
    breaks: 'reports a backoff for a lane that a worker has leased',
    fails: 'a lane that a worker has leased does not back off',
    rule: (good) => {
      let retryAt: Date | null = null;
      return {
        release: (lease, after) => {
          const { next } = after;
          retryAt = typeof next === 'object' && 'retryAt' in next ? next.retryAt : null;
          return good.release(lease, after);
        },
        lane: async (did) => ({ ...(await good.lane(did)), retryAt }),
      };
    },
  },
  {
    breaks: 'gives the newest first',
    fails: 'due gives the oldest first, up to the limit',
    rule: (good) => ({ due: async (did, options) => (await good.due(did, options)).toReversed() }),
  },
  {
    breaks: 'knows no limit',
    fails: 'due gives the oldest first, up to the limit',
    rule: (good) => ({ due: (did, { backlog }) => good.due(did, { limit: Infinity, backlog }) }),
  },
  {
    breaks: 'lets the lane that waits longest wait',
    fails: 'the lane that waits longest comes first, up to the limit',
    rule: (good) => ({
      readyLanes: async (limit) => (await good.readyLanes(Infinity)).toReversed().slice(0, limit),
    }),
  },
  {
    breaks: 'gives one account turn after turn',
    fails: 'a lane that had its turn comes after those that wait',
    rule: (good) => ({
      readyLanes: async (limit) => {
        const since = new Map<string, string>();
        for (const did of await good.readyLanes(Infinity)) {
          const [oldest] = await good.forDid(did);
          since.set(did, oldest?.createdAt ?? '');
        }
        const sorted = [...since].toSorted(([, one], [, other]) => one.localeCompare(other));
        return sorted.map(([did]) => did).slice(0, limit);
      },
    }),
  },
];
