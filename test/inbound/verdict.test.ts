import { verdictOf, type AddressState, type Verdict } from '../../lib/inbound/verdict.js';
import type { Evidence } from '../../lib/model/evidence.js';
import type { KnownAddress } from '../../lib/pending/inbound.ledger.js';

const ONE = { did: 'did:plc:alice', collection: 'com.example.memo', rkey: 'one' };

const heard = (more: Partial<Evidence> = {}): Evidence => ({
  ...ONE,
  rev: 'rev-2',
  cid: 'cid-2',
  source: 'stream',
  live: true,
  ...more,
});

const known = (more: Partial<KnownAddress> = {}): KnownAddress => ({
  address: ONE,
  entityName: 'Memo',
  entityId: '1',
  cid: 'cid-1',
  rev: 'rev-1',
  mapped: null,
  foreign: null,
  base: null,
  isDirty: false,
  isLeaving: false,
  inConflict: false,
  changedAt: 0,
  ...more,
});

const state = (more: Partial<AddressState> = {}): AddressState => ({
  known: known(),
  rowCid: 'cid-1',
  inFlight: undefined,
  authority: 'both',
  ...more,
});

const cases: [rule: string, Verdict, Evidence, AddressState][] = [
  ['an edit of a clean row is applied', 'apply', heard(), state()],
  [
    'a record of an unknown address is applied',
    'apply',
    heard(),
    state({ known: undefined, rowCid: undefined }),
  ],
  ['a deletion of a clean row removes it', 'remove', heard({ cid: null }), state()],
  ['an edit of a changed row is a conflict', 'conflict', heard(), state({ known: known({ isDirty: true }) })],
  [
    'a deletion of a changed row is a conflict',
    'conflict',
    heard({ cid: null }),
    state({ known: known({ isDirty: true }) }),
  ],
  [
    'a deletion on both sides is no conflict',
    'remove',
    heard({ cid: null }),
    state({ known: known({ isDirty: true, isLeaving: true }) }),
  ],
  ['an earlier revision is old', 'old', heard({ rev: 'rev-0' }), state()],
  ['a repeated event is old', 'old', heard({ rev: 'rev-1' }), state()],
  [
    'an import of the same revision with another CID is applied',
    'apply',
    heard({ rev: 'rev-1', source: 'import' }),
    state(),
  ],
  [
    'a creation that is told after the deletion is old',
    'old',
    heard({ rev: 'rev-1' }),
    state({ known: known({ cid: null, rev: 'rev-2' }), rowCid: undefined }),
  ],
  ['the CID that was agreed on is an echo', 'echo', heard({ cid: 'cid-1' }), state()],
  ['a CID in flight is an echo', 'echo', heard(), state({ inFlight: new Set(['cid-2']) })],
  ['a deletion in flight is an echo', 'echo', heard({ cid: null }), state({ inFlight: new Set([null]) })],
  ['a CID that only the row names is an echo', 'echo', heard(), state({ known: undefined, rowCid: 'cid-2' })],
  [
    'a deletion of what nothing is known of is an echo',
    'echo',
    heard({ cid: null }),
    state({ known: undefined, rowCid: undefined }),
  ],
  ['an edit is only told where the class is local', 'told', heard(), state({ authority: 'local' })],
  [
    'a deletion removes where the class is local',
    'remove',
    heard({ cid: null }),
    state({ authority: 'local' }),
  ],
  [
    'an edit is applied to a changed row that is never published',
    'apply',
    heard(),
    state({ authority: 'network', known: known({ isDirty: true }) }),
  ],
];

describe('the verdict on evidence', () => {
  it.each(cases)('%s', (_rule, verdict, evidence, address) => {
    expect(verdictOf(evidence, address)).toBe(verdict);
  });
});
