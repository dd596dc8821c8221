import { atUri } from '../../../../lib/model/address.js';
import type { PendingChange, PendingEntry } from '../../../../lib/pending/pending-entry.js';
import { NONE, type BrokenRule } from './rule.js';

export const brokenByCapture: readonly BrokenRule[] = [
  {
    breaks: 'drops one of two captures at once',
    fails: 'concurrent captures of one account lose no change',
    rule: (good) => {
      let busy = false;
      return {
        capture: async (changes) => {
          if (busy) return NONE;
          busy = true;
          const left = await good.capture(changes);
          busy = false;
          return left;
        },
      };
    },
  },
  {
    breaks: 'keeps an entry for every capture of an address',
    fails: 'there is one entry per address, however often it is captured',
    rule: (good) => {
      let captured = 0;
      return {
        capture: (changes) => {
          captured += changes.length;
          return good.capture(changes);
        },
        countForDid: async () => captured,
      };
    },
  },
  {
    breaks: 'ignores a change of what is pending already',
    fails: 'a recapture raises the version',
    rule: (good) => ({
      capture: async (changes) => {
        for (const change of changes) {
          if (!(await good.find(atUri(change.address)))) await good.capture([change]);
        }
        return NONE;
      },
    }),
  },
  {
    breaks: 'forgets the record that is known',
    fails: 'a recapture without a cid keeps the known cid',
    rule: (good) => {
      const last = new Map<string, string | null>();
      return {
        capture: (changes) => {
          for (const { address, cid } of changes) last.set(atUri(address), cid);
          return good.capture(changes);
        },
        at: async (did, uris) =>
          (await good.at(did, uris)).map((entry) =>
            Object.assign({}, entry, { cid: last.get(entry.sync.uri) ?? null }),
          ),
      };
    },
  },
  {
    breaks: 'leaves the first claimant',
    fails: 'a recapture takes over trigger, operation and claimant',
    rule: (good) => ({
      capture: async (changes) => {
        for (const change of changes) {
          const before = await good.find(atUri(change.address));
          const { entityName, entityId } = before ?? change;
          await good.capture([{ ...change, entityName, entityId }]);
        }
        return NONE;
      },
    }),
  },
  {
    breaks: 'starts an entry anew with every capture',
    fails: 'a recapture keeps id, place and createdAt',
    rule: (good) => ({
      capture: async (changes) => {
        for (const { address } of changes) await good.remove(atUri(address));
        return good.capture(changes);
      },
    }),
  },
  {
    breaks: 'counts the attempts of a record that was corrected',
    fails: 'a recapture gets all its attempts, unless it is backfill',
    rule: (good) => ({
      capture: (changes) => good.capture(changes.map((change) => ({ ...change, backfill: true }))),
    }),
  },
  {
    breaks: 'lets a backfill take over what users did',
    fails: 'a live change is not taken over by a backfill that finds it again',
    rule: (good) => ({
      capture: (changes) => good.capture(changes.map((change) => ({ ...change, backfill: false }))),
    }),
  },
  {
    breaks: 'lets an entity that goes take an address from its claimant',
    fails: 'an address that another entity gives up stays with its claimant',
    rule: (good) => ({
      capture: (changes) => good.capture(changes.map((change) => ({ ...change, givenUp: false }))),
    }),
  },
  {
    breaks: 'never lets go of an address that was given up',
    fails: 'an address that was given up goes to the entity that claims it',
    rule: (good) => {
      const givenUp = new Map<string, PendingChange>();
      return {
        capture: async (changes) => {
          for (const change of changes) {
            if (change.givenUp) givenUp.set(atUri(change.address), change);
            await good.capture([givenUp.get(atUri(change.address)) ?? change]);
          }
          return NONE;
        },
      };
    },
  },
  ...(['settled', 'discarded', 'removed'] as const).map((end) => ({
    breaks: `counts versions from one again after an entry was ${end}`,
    fails: `a ${end} address begins anew, with a greater version`,
    rule: countsFromOne,
  })),
  {
    breaks: 'keeps what was captured in a transaction that is rolled back',
    fails: 'a change captured in a transaction is gone after its rollback',
    rule: () => ({ durable: true }),
  },
];

/** Gives every entry versions of its own, from one. */
function countsFromOne(good: Parameters<BrokenRule['rule']>[0]): ReturnType<BrokenRule['rule']> {
  const firsts = new Map<string, number>();
  const shown = (entry: PendingEntry): PendingEntry => ({
    ...entry,
    version: entry.version - (firsts.get(entry.sync.uri) ?? 0),
  });
  const real = <T extends { uri: string; version: number }>(one: T): T => ({
    ...one,
    version: one.version + (firsts.get(one.uri) ?? 0),
  });
  return {
    capture: async (changes) => {
      for (const change of changes) {
        const uri = atUri(change.address);
        const isNew = !(await good.find(uri));
        await good.capture([change]);
        const [entry] = await good.at(change.address.did, [uri]);
        if (isNew && entry) firsts.set(uri, entry.version - 1);
      }
      return NONE;
    },
    at: async (did, uris) => (await good.at(did, uris)).map(shown),
    settle: (lease, done) => good.settle(lease, done.map(real)),
    failed: (lease, tries) => good.failed(lease, tries.map(real)),
    discard: (lease, given) =>
      good.discard(
        lease,
        given.map(({ entry, reason }) => {
          const { version } = real({ uri: entry.sync.uri, version: entry.version });
          return { entry: { ...entry, version }, reason };
        }),
      ),
  };
}
