import { atPresent, type BrokenRule, holders } from './rule.js';

const restsForEver: BrokenRule['rule'] = (good) => ({
  due: async (did, options) => (await good.due(did, options)).filter(({ sync }) => sync.lastError === null),
});

export const brokenByTry: readonly BrokenRule[] = [
  {
    breaks: 'settles an entry that has changed meanwhile',
    fails: 'settle leaves an entry whose version has moved',
    rule: (good) => ({
      settle: async (lease, done) => good.settle(lease, await atPresent(good, lease.did, done)),
    }),
  },
  {
    breaks: 'lets a former holder settle',
    fails: 'settle is refused to a lease that another worker has taken over',
    rule: (good) => {
      const { enter, holderOf } = holders(good);
      return { enter, settle: (stale, done) => good.settle(holderOf(stale), done) };
    },
  },
  {
    breaks: 'says that it settled when it refused to',
    fails: 'settle is refused after the lane was given back',
    rule: (good) => ({
      settle: async (lease, done) => {
        await good.settle(lease, done);
        return true;
      },
    }),
  },
  {
    breaks: 'keeps of an error less than another does',
    fails: 'an error is kept in readable form, up to 2000 characters',
    rule: (good) => ({
      failed: (lease, tries) =>
        good.failed(
          lease,
          tries.map((one) => ({ ...one, error: one.error.slice(0, 1_000) })),
        ),
    }),
  },
  {
    breaks: 'spends no attempts',
    fails: 'a failed attempt is recorded, and counts if told',
    rule: (good) => ({
      failed: (lease, tries) =>
        good.failed(
          lease,
          tries.map((one) => ({ ...one, countsAttempt: false })),
        ),
    }),
  },
  {
    breaks: 'spends an attempt for every failure',
    fails: 'a failed attempt does not count unless told',
    rule: (good) => ({
      failed: (lease, tries) =>
        good.failed(
          lease,
          tries.map((one) => ({ ...one, countsAttempt: true })),
        ),
    }),
  },
  {
    breaks: 'tries a record again at once that has failed',
    fails: 'a record that failed rests',
    rule: (good) => ({ due: (did, { limit }) => good.due(did, { limit, backlog: true }) }),
  },
  ...['when it is captured again', 'after a sign-in'].map((until) => ({
    breaks: `lets a record that failed rest longer than until ${until}`,
    fails: `a record that failed no longer rests ${until}`,
    rule: restsForEver,
  })),
  {
    breaks: 'lets every entry rest that has failed',
    fails: 'a failure that is not of the record does not prolong its rest',
    rule: restsForEver,
  },
  {
    breaks: 'spends an attempt of an entry that has changed meanwhile',
    fails: 'a failed attempt leaves the count of an entry whose version has moved',
    rule: (good) => ({
      failed: async (lease, tries) => good.failed(lease, await atPresent(good, lease.did, tries)),
    }),
  },
  {
    breaks: 'lets a former holder spend attempts',
    fails: 'a failed attempt is refused to a lease that another worker has taken over',
    rule: (good) => {
      const { enter, holderOf } = holders(good);
      return { enter, failed: (stale, tries) => good.failed(holderOf(stale), tries) };
    },
  },
  {
    breaks: 'tries again without the session that an entry needs',
    fails: 'an entry that needs a session is not due before unpark',
    rule: (good) => ({
      failed: (lease, tries) =>
        good.failed(
          lease,
          tries.map((one) => ({ ...one, needsSession: false })),
        ),
    }),
  },
  {
    breaks: 'gives up an entry that has changed meanwhile',
    fails: 'discard leaves an entry whose version has moved',
    rule: (good) => ({
      discard: async (lease, given) => {
        const entries = await good.at(
          lease.did,
          given.map(({ entry }) => entry.sync.uri),
        );
        return good.discard(
          lease,
          entries.map((entry) => ({ entry, reason: 'invalid' })),
        );
      },
    }),
  },
  {
    breaks: 'says that it gave up what was gone',
    fails: 'discard does not return an entry that is gone',
    rule: (good) => ({
      discard: async (lease, given) => {
        await good.discard(lease, given);
        return given.map(({ entry: { sync }, reason }) => ({ sync, reason }));
      },
    }),
  },
  {
    breaks: 'lets a former holder give entries up',
    fails: 'discard is refused to a lease that another worker has taken over',
    rule: (good) => {
      const { enter, holderOf } = holders(good);
      return { enter, discard: (stale, given) => good.discard(holderOf(stale), given) };
    },
  },
];
