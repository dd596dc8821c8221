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
    'what is to be published by hand is so, though its entity changes',
    'what is to be unpublished by hand is renewed if its entity changes',
    'what is to be unpublished by hand is so, though its entity goes',
  ].map((fails) => ({ breaks: 'forgets what was asked for by hand', fails, rule: forgets })),
  ...[
    'what is to be published by hand is not, once its entity goes',
    'what is asked for by hand is withdrawn by hand',
    'what was asked for by hand is asked of no other entity',
    'what was asked for by hand is done with once it is settled',
    'what a reconciliation asks for is not asked for by hand',
  ].map((fails) => ({ breaks: 'asks for ever for what was asked for by hand', fails, rule: neverLetsGo })),
  {
    breaks: 'sees the last change of a capture only',
    fails: 'what is asked for by hand stays so within one capture',
    rule: (good) => ({
      capture: (changes) =>
        good.capture([...new Map(changes.map((change) => [atUri(change.address), change])).values()]),
    }),
  },
];
