import { atUri } from '../../../../lib/model/address.js';
import type { LaneNext, PendingEntry } from '../../../../lib/pending/pending-entry.js';
import type { PendingSyncStore } from '../../../../lib/pending/pending-sync.store.js';
import { type BrokenRule, holders } from './rule.js';

const NEVER = 1e12;

export const brokenByBackfill: readonly BrokenRule[] = [
  {
    breaks: 'does not tell backfill from the rest',
    fails: 'an address that was only captured as backfill is backfill',
    rule: (good) => ({
      capture: (changes) => good.capture(changes.map((change) => ({ ...change, backfill: false }))),
    }),
  },
  {
    breaks: 'takes for backfill what was found before users changed it',
    fails: 'a live capture makes a backfill entry live',
    rule: (good) => ({
      capture: async (changes) => {
        for (const change of changes) {
          const [before] = await good.at(change.address.did, [atUri(change.address)]);
          await good.capture([{ ...change, backfill: before?.backfill ?? change.backfill }]);
        }
        return new Set();
      },
    }),
  },
  {
    breaks: 'takes for backfill what was found after users changed it',
    fails: 'a backfill capture leaves a live entry live',
    rule: (good) => {
      const last = new Map<string, boolean>();
      return {
        capture: (changes) => {
          for (const { address, backfill } of changes) last.set(atUri(address), backfill);
          return good.capture(changes);
        },
        at: async (did, uris) => {
          const entries: PendingEntry[] = [];
          for (const entry of await good.at(did, uris))
            entries.push({ ...entry, backfill: last.get(entry.sync.uri) ?? false });
          return entries;
        },
      };
    },
  },
  {
    breaks: 'hears the last change of a capture only',
    fails: 'one live change in a capture makes its address live',
    rule: (good) => ({
      capture: (changes) => {
        const last = new Map(changes.map((change) => [atUri(change.address), change]));
        return good.capture([...last.values()]);
      },
    }),
  },
  {
    breaks: 'has no hurry with what another entity gives up',
    fails: 'an address that another entity gives up now is live',
    rule: (good) => ({
      capture: (changes) =>
        good.capture(changes.map((change) => ({ ...change, backfill: change.backfill || change.givenUp }))),
    }),
  },
  {
    breaks: 'never forgets that an address was live',
    fails: 'a settled address begins anew as live or as backfill, as it is captured',
    rule: (good) => {
      const live = new Set<string>();
      return {
        capture: (changes) => {
          for (const { address, backfill } of changes) if (!backfill) live.add(atUri(address));
          return good.capture(
            changes.map((change) => ({
              ...change,
              backfill: change.backfill && !live.has(atUri(change.address)),
            })),
          );
        },
      };
    },
  },
  {
    breaks: 'tries the oldest first, though it is backfill',
    fails: 'due gives backfill last, however old it is',
    rule: (good) => ({
      due: async (did, { limit, backlog }) =>
        (await good.due(did, { limit: Infinity, backlog }))
          .toSorted((one, other) => one.sync.createdAt.localeCompare(other.sync.createdAt))
          .slice(0, limit),
    }),
  },
  {
    breaks: 'forgets that backfill has to wait',
    fails: 'backfill that has to wait is not due before its time',
    rule: instead((next) => (isWait(next) ? 'asleep' : next)),
  },
  {
    breaks: 'hands out with the backlog what has to wait',
    fails: 'backfill that has to wait is not due before its time',
    rule: (good) => ({
      due: async (did, options) => {
        if (!options.backlog) return good.due(did, options);
        return good.at(
          did,
          (await good.forDid(did)).map(({ uri }) => uri),
        );
      },
    }),
  },
  {
    breaks: 'takes a lane for ready whose backfill has to wait',
    fails: 'a lane whose backfill has to wait is not ready before its time',
    rule: instead((next) => (isWait(next) ? 'ready' : next)),
  },
  {
    breaks: 'lets backfill wait for a wake',
    fails: 'backfill that had to wait goes on automatically after its time',
    rule: instead((next) => (isWait(next) ? { backfillAt: new Date(Date.now() + NEVER) } : next)),
  },
  ...[
    'a lane with only backfill comes after all others, however long it waits',
    'backfill that is found while the lane is leased comes after live work',
    'a lane with only backfill comes last also after a backoff',
    'a lane given back as before comes last again with its backfill',
  ].map((fails) => ({
    breaks: 'gives the account its turn first that has waited longest, though it has only backfill',
    fails,
    rule: inOrderOfAge,
  })),
  {
    breaks: 'wakes no lane for backfill',
    fails: 'a lane with only backfill is ready when no other lane is',
    rule: (good) => ({
      wake: async (did, options) => (options?.backfill ? undefined : good.wake(did)),
    }),
  },
  {
    breaks: 'lets the backfill that waits longest wait',
    fails: 'among backfill, the lane that waits longest comes first, up to the limit',
    rule: (good) => ({
      readyLanes: async (limit) => (await good.readyLanes(Infinity)).toReversed().slice(0, limit),
    }),
  },
  ...[
    'a lane woken for backfill that it does not have is not ready',
    'the backfill of a parked account is not ready before unpark',
    'a lane whose backfill was attempted sleeps like any other',
    'a lane with only backfill is not ready while it is backed off',
  ].map((fails) => ({
    breaks: 'takes every lane for ready that was woken for backfill',
    fails,
    rule: readyOnceWoken,
  })),
  {
    breaks: 'makes users wait with the backfill of their account',
    fails: 'live work does not wait for the backfill of its lane',
    rule: instead((next) =>
      typeof next === 'object' && 'backfillAt' in next ? { retryAt: next.backfillAt } : next,
    ),
  },
  {
    breaks: 'forgets with the next lease that backfill has to wait',
    fails: 'a lane given back asleep keeps when its backfill may go on',
    rule: instead((next) => (next === 'asleep' ? { backfillAt: new Date() } : next)),
  },
  {
    breaks: 'lets a lane sleep that was ready',
    fails: 'a lane that is given back as before is ready if it was',
    rule: instead((next) => (next === 'as-before' ? 'asleep' : next)),
  },
  {
    breaks: 'wakes a lane that slept',
    fails: 'a lane that is given back as before sleeps if it did',
    rule: instead((next) => (next === 'as-before' ? 'ready' : next)),
  },
  {
    breaks: 'lets backfill go on because a worker had the lane',
    fails: 'backfill that has to wait still has to when its lane is as before',
    rule: instead((next) => (next === 'as-before' ? { backfillAt: new Date() } : next)),
  },
  {
    breaks: 'lets a lane sleep that has more to do',
    fails: 'a lane that is given back ready is ready at once',
    rule: instead((next) => (next === 'ready' ? 'asleep' : next)),
  },
  ...[
    'a wake while the lane is leased is not lost when it is as before',
    'a wake while the lane is leased is not lost when its backfill has to wait',
    'backfill that is found while the lane is leased is not lost',
  ].map((fails) => ({
    breaks: 'forgets who was woken while the lane was leased',
    fails,
    rule: (good: PendingSyncStore) => {
      const { enter, held } = holders(good);
      return {
        enter,
        wake: async (did: string, options?: { readonly backfill: boolean }) =>
          held.has(did) ? undefined : good.wake(did, options),
      };
    },
  })),
  {
    breaks: 'never ends a lease',
    fails: 'a lane whose holder died over its backfill is ready',
    rule: (good) => ({ enter: (did, uris) => good.enter(did, uris, { milliseconds: NEVER }) }),
  },
];

const isWait = (next: LaneNext): boolean => typeof next === 'object' && 'backfillAt' in next;

/** Gives lanes back in another way than it was told. */
function instead(other: (next: LaneNext) => LaneNext): BrokenRule['rule'] {
  return (good) => ({
    release: (lease, { next, failures }) => good.release(lease, { next: other(next), failures }),
  });
}

function inOrderOfAge(good: PendingSyncStore): Partial<PendingSyncStore> {
  return {
    readyLanes: async (limit) => {
      const since = new Map<string, string>();
      for (const did of await good.readyLanes(Infinity)) {
        const [oldest] = await good.forDid(did);
        since.set(did, oldest?.createdAt ?? '');
      }
      const sorted = [...since].toSorted(([, one], [, other]) => one.localeCompare(other));
      return sorted.map(([did]) => did).slice(0, limit);
    },
  };
}

function readyOnceWoken(good: PendingSyncStore): Partial<PendingSyncStore> {
  const woken = new Set<string>();
  return {
    wake: async (did, options) => {
      if (options?.backfill) woken.add(did);
      await good.wake(did, options);
    },
    readyLanes: async (limit) => [...new Set([...(await good.readyLanes(limit)), ...woken])],
  };
}
