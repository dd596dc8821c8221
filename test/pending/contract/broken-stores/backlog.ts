import { PARK } from '../pending-sync-store/fixtures.js';
import type { BrokenRule } from './rule.js';

const parksFirst: BrokenRule['rule'] = (good) => ({
  unpark: async (did, options) => {
    await good.park(did, PARK);
    await good.unpark(did, options);
  },
});

export const brokenByBacklog: readonly BrokenRule[] = [
  {
    breaks: 'takes all that is pending at a sign-in for parked',
    fails: 'a sign-in of an account that is not parked makes no backlog',
    rule: parksFirst,
  },
  {
    breaks: 'forgets at a sign-in that a lane backs off',
    fails: 'a lane that is not parked backs off as before after a sign-in without retry',
    rule: parksFirst,
  },
  {
    breaks: 'retries the backlog at the next sign-in',
    fails: 'a sign-in of an account that is not parked leaves its backlog',
    rule: (good) => ({
      unpark: async (did, options) =>
        good.unpark(did, { retry: options.retry || !(await good.lane(did)).park }),
    }),
  },
  {
    breaks: 'retries unasked what needed a session',
    fails: 'an entry that needed a session is backlog after a sign-in without retry',
    rule: (good) => ({
      unpark: (did, options) => (options.retry ? good.unpark(did, options) : good.voidPark(did)),
    }),
  },
  {
    breaks: 'keeps what was captured again for a retry by hand',
    fails: 'an entry that needed a session is no backlog once it is captured again',
    rule: (good) => {
      const freed = new Set<string>();
      return {
        unpark: async (did, options) => {
          for (const { uri } of await good.forDid(did)) freed.add(uri);
          await good.unpark(did, options);
        },
        due: async (did, options) =>
          (await good.due(did, options)).filter(({ sync }) => !freed.has(sync.uri)),
      };
    },
  },
  {
    breaks: 'takes a void park for one that has ended',
    fails: 'a void park makes no backlog',
    rule: (good) => ({ voidPark: (did) => good.unpark(did, { retry: false }) }),
  },
  {
    breaks: 'retries the backlog when a park is void',
    fails: 'a void park leaves the backlog of earlier parks',
    rule: (good) => ({ voidPark: (did) => good.unpark(did, { retry: true }) }),
  },
  {
    breaks: 'leaves what needs a session without one when a park is void',
    fails: 'a void park frees the entries that need a session',
    rule: () => ({ voidPark: () => Promise.resolve() }),
  },
  {
    breaks: 'retries all of the backlog when some of it is renewed',
    fails: 'a renewed entry is no backlog, and asks for the same as before',
    rule: (good) => ({ renew: (did) => good.unpark(did, { retry: true }) }),
  },
  {
    breaks: 'renews nothing',
    fails: 'a renewed entry is no backlog, and asks for the same as before',
    rule: () => ({ renew: () => Promise.resolve() }),
  },
];
