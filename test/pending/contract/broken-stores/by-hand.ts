import { atUri } from '../../../../lib/model/address.js';
import type { PendingChange } from '../../../../lib/pending/pending-entry.js';
import { NONE, type BrokenRule } from './rule.js';

const forgets: BrokenRule['rule'] = (good) => ({
  capture: async (changes) => {
    for (const { address } of changes) await good.remove(atUri(address));
    return good.capture(changes);
  },
});

const neverLetsGo: BrokenRule['rule'] = (good) => {
  const asked = new Map<string, PendingChange>();
  return {
    capture: async (changes) => {
      for (const change of changes) {
        const uri = atUri(change.address);
        if (change.trigger !== 'auto' && !asked.has(uri)) asked.set(uri, change);
        await good.capture([asked.get(uri) ?? change]);
      }
      return NONE;
    },
  };
};

export const brokenByHand: readonly BrokenRule[] = [
  ...[
    'an entity to be published by hand is, although it changes',
    'an entity to be unpublished by hand is renewed if it changes',
    'an entity to be unpublished by hand is, although it is removed',
  ].map((fails) => ({ breaks: 'forgets what was asked for by hand', fails, rule: forgets })),
  ...[
    'an entity to be published by hand is not, once it is removed',
    'a request by hand is withdrawn by hand',
    'a request by hand does not pass to another entity',
    'a request by hand ends once it is settled',
    'a finding of a reconciliation is not a request by hand',
  ].map((fails) => ({ breaks: 'asks for ever for what was asked for by hand', fails, rule: neverLetsGo })),
  {
    breaks: 'sees the last change of a capture only',
    fails: 'a request by hand stays within one capture',
    rule: (good) => ({
      capture: (changes) =>
        good.capture([...new Map(changes.map((change) => [atUri(change.address), change])).values()]),
    }),
  },
];
