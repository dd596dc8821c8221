import type { BrokenRule } from './rule.js';

export const brokenByLeft: readonly BrokenRule[] = [
  {
    breaks: 'leaves nothing to other processes',
    fails: 'an entry that is left to other processes is not due',
    rule: () => ({ leave: () => true }),
  },
  {
    breaks: 'leaves to other processes what takes no class',
    fails: 'an entry of a left class is due if its row is gone',
    rule: (good) => {
      const left = new Set<string>();
      return {
        leave: (name) => {
          left.add(name);
          return good.leave(name);
        },
        due: async (did, options) =>
          (await good.due(did, options)).filter(({ entityName }) => !left.has(entityName)),
      };
    },
  },
  {
    breaks: 'takes a lane for ready in which all is left to others',
    fails: 'a lane with only left entries is ready for other processes only',
    rule: (good) => {
      const woken = new Set<string>();
      return {
        wake: async (did, options) => {
          woken.add(did);
          await good.wake(did, options);
        },
        readyLanes: async () => [...woken],
      };
    },
  },
];
