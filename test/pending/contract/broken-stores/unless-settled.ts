import { atUri } from '../../../../lib/model/address.js';
import type { OfferedChange, SettledEntry } from '../../../../lib/pending/pending-entry.js';
import { NONE, type BrokenRule } from './rule.js';

/** Why a change is not left alone. */
type Doubt =
  'pending' | 'cid' | 'unknown' | 'trace' | 'as-is' | 'removed' | 'given up' | 'claimant' | 'company';

interface Known extends SettledEntry {
  readonly claimant: string;
  readonly lost: 'removed' | 'given up' | null;
}

const claimantOf = ({ entityName, entityId }: { entityName: string; entityId: string }): string =>
  `${entityName} ${entityId}`;

/** A store that leaves alone what is settled, and lacks one doubt about it. */
const without =
  (lacking: Doubt, silent = false): BrokenRule['rule'] =>
  (good) => {
    const known = new Map<string, Known>();
    const captured = new Set<string>();
    const lose = (uri: string, lost: Known['lost']): void => {
      const one = known.get(uri);
      if (one) known.set(uri, { ...one, lost });
    };
    const isLeft = async (change: OfferedChange, all: readonly OfferedChange[]): Promise<boolean> => {
      const uri = atUri(change.address);
      const last = known.get(uri);
      const doubts: Record<Doubt, boolean> = {
        pending: (await good.find(uri)) !== null,
        unknown: !last && change.cid !== null,
        trace: change.cid === null && captured.has(uri),
        cid: !!last && last.cid !== change.cid,
        'as-is': last?.asIs === true,
        removed: last?.lost === 'removed',
        'given up': last?.lost === 'given up',
        claimant: !!last && last.claimant !== claimantOf(change),
        company: all.filter(({ address }) => atUri(address) === uri).length > 1,
      };
      return Object.entries(doubts).every(([doubt, isThere]) => !isThere || doubt === lacking);
    };
    return {
      capture: async (changes, runner) => {
        const left = new Set<string>();
        for (const change of changes)
          if (change.unlessSettled && (await isLeft(change, changes))) left.add(atUri(change.address));
        const kept = changes.filter(({ address }) => !left.has(atUri(address)));
        for (const { address } of kept) captured.add(atUri(address));
        await good.capture(kept, runner);
        return silent ? NONE : left;
      },
      settle: async (lease, done) => {
        const entries = await good.at(
          lease.did,
          done.map(({ uri }) => uri),
        );
        const held = await good.settle(lease, done);
        for (const one of held ? done : []) {
          const entry = entries.find(({ sync }) => sync.uri === one.uri);
          if (entry) known.set(one.uri, { ...one, claimant: claimantOf(entry), lost: null });
        }
        return held;
      },
      remove: (id) => {
        lose(id, 'removed');
        return good.remove(id);
      },
      removeForDid: (did) => {
        for (const uri of known.keys()) lose(uri, 'removed');
        return good.removeForDid(did);
      },
      discard: (lease, given) => {
        for (const { entry } of given) lose(entry.sync.uri, 'given up');
        return good.discard(lease, given);
      },
    };
  };

export const brokenByUnlessSettled: readonly BrokenRule[] = [
  {
    breaks: 'leaves changes alone and does not say so',
    fails: 'changes that may be left alone and are not returned are kept',
    rule: without('company', true),
  },
  {
    breaks: 'leaves alone what is pending',
    fails: 'a change of a pending address is kept, whatever was settled before',
    rule: without('pending'),
  },
  {
    breaks: 'does not look at what was settled',
    fails: 'a change is kept if something else was settled last',
    rule: without('cid'),
  },
  {
    breaks: 'takes a deleted record for the one that is wanted',
    fails: 'a change is kept if the record was deleted last',
    rule: without('cid'),
  },
  {
    breaks: 'takes what it does not know for settled',
    fails: 'a change is kept if its address was never settled',
    rule: without('unknown'),
  },
  {
    breaks: 'takes what should have no record for what never had one',
    fails: 'a change for no record is kept if a record was to be written there',
    rule: without('trace'),
  },
  {
    breaks: 'takes an address that was settled without looking for settled',
    fails: 'a change is kept if its address was settled as it is, without looking',
    rule: without('as-is'),
  },
  {
    breaks: 'takes what was removed for settled',
    fails: 'a change of an address that was removed is kept',
    rule: without('removed'),
  },
  {
    breaks: 'takes the addresses of a removed account for settled',
    fails: 'a change of an address of a removed account is kept',
    rule: without('removed'),
  },
  {
    breaks: 'takes what was given up for settled',
    fails: 'a change of a discarded address is kept',
    rule: without('given up'),
  },
  {
    breaks: 'does not look at who claims an address',
    fails: 'a change of another claimant is kept',
    rule: without('claimant'),
  },
  {
    breaks: 'forgets a change for another one of its address',
    fails: 'a change is kept if the same capture has another change of its address',
    rule: without('company'),
  },
];
