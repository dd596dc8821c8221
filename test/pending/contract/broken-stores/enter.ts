import type { EnteredLane, PendingEntry } from '../../../../lib/pending/pending-entry.js';
import type { BrokenRule } from './rule.js';

/** Changes what a worker gets that enters a lane. */
const telling =
  (change: (entered: EnteredLane) => Partial<EnteredLane>): BrokenRule['rule'] =>
  (good) => ({
    enter: async (...asked) => {
      const entered = await good.enter(...asked);
      return { ...entered, ...change(entered) };
    },
  });

const anyway: BrokenRule['rule'] = (good) => ({
  enter: (did, uris, options) => good.enter(did, uris, { ...options, anyway: true }),
});

export const brokenByEnter: readonly BrokenRule[] = [
  {
    breaks: 'gives a lane without its entries',
    fails: 'enter gives the lane with the pending entries at the addresses that it is asked for',
    rule: telling(() => ({ entries: [] })),
  },
  {
    breaks: 'gives a lane with all of its entries',
    fails: 'enter gives the lane with the pending entries at the addresses that it is asked for',
    rule: (good) => ({
      enter: async (did, _uris, options) =>
        good.enter(
          did,
          (await good.forDid(did)).map(({ uri }) => uri),
          options,
        ),
    }),
  },
  {
    breaks: 'gives entries as they were when the lane was entered before',
    fails: 'enter gives no entry that the former holder of the lane has settled',
    rule: (good) => {
      const known = new Map<string, readonly PendingEntry[]>();
      return {
        enter: async (did, uris, options) => {
          const entered = await good.enter(did, uris, options);
          const entries = known.get(did) ?? entered.entries;
          known.set(did, entries);
          return { ...entered, entries };
        },
      };
    },
  },
  {
    breaks: 'lets a worker enter a parked lane',
    fails: 'enter takes no parked lane, and tells its park',
    rule: anyway,
  },
  {
    breaks: 'lets a worker enter a lane that backs off',
    fails: 'enter takes no lane that backs off, and tells its retryAt',
    rule: anyway,
  },
  {
    breaks: 'does not tell why a lane cannot be entered',
    fails: 'enter takes no parked lane, and tells its park',
    rule: telling(({ lane }) => ({ lane: { ...lane, park: null } })),
  },
  {
    breaks: 'refuses a lane that backs off to a worker that comes anyway',
    fails: 'enter with anyway takes a lane that is parked or backs off, but not that of another worker',
    rule: (good) => ({
      enter: (did, uris, { milliseconds }) => good.enter(did, uris, { milliseconds }),
    }),
  },
  {
    breaks: 'forgets of a lane that it backed off before it was taken',
    fails: 'enter with anyway takes a lane that is parked or backs off, but not that of another worker',
    rule: telling(({ lane, lease }) => (lease ? { lane: { ...lane, retryAt: null } } : {})),
  },
  {
    breaks: 'lets two workers enter a lane',
    fails: 'of several workers that enter a lane at once, one gets it',
    rule: telling(({ lane, lease }) => ({ lease: lease ?? { did: lane.did, token: 1, endsAt: 0 } })),
  },
  {
    breaks: 'does not tell of a lane that was freed just now',
    fails: 'enter tells whether the lane was freed just now',
    rule: telling(({ lane }) => ({ lane: { ...lane, justFreed: false } })),
  },
];
