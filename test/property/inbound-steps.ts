import fc from 'fast-check';

/** How the class of a sequence decides conflicts, and in the end those that nobody has decided. */
export const STRATEGIES = {
  remote: {},
  local: { conflicts: 'local' },
  newest: { conflicts: 'newest' },
  'merge, remote': { conflicts: 'merge', mergeConflict: 'remote' },
  'merge, local': { conflicts: 'merge', mergeConflict: 'local' },
  manual: { conflicts: 'manual' },
  'merge, manual': { conflicts: 'merge', mergeConflict: 'manual' },
} as const;

export type Strategy = keyof typeof STRATEGIES;

/** Rows, keys and texts are few, so that steps meet each other. */
const row = fc.nat({ max: 3 });
const key = fc.nat({ max: 2 });
const mood = fc.constantFrom('glad', 'calm', null);
/** Whether the next step waits for the call. */
const waits = fc.constantFrom(true, true, false);

const PLAIN = { noNullPrototype: true } as const;

const step = <K extends string, R extends object>(kind: K, rest: { [P in keyof R]: fc.Arbitrary<R[P]> }) =>
  fc.record(
    { kind: fc.constant(kind), ...rest } as unknown as {
      [P in keyof (R & { kind: K })]: fc.Arbitrary<(R & { kind: K })[P]>;
    },
    PLAIN,
  );

const anyStep = fc.oneof(
  { weight: 4, arbitrary: step('insert', { mood, waits }) },
  { weight: 5, arbitrary: step('edit', { row, waits }) },
  { weight: 3, arbitrary: step('set-mood', { row, mood, waits }) },
  { weight: 2, arbitrary: step('remove', { row, waits }) },
  { weight: 1, arbitrary: step('roll-back', { row }) },
  // What another application does: at keys of its own, and to records of rows.
  { weight: 6, arbitrary: step('put', { key, mood, extra: fc.boolean() }) },
  { weight: 5, arbitrary: step('edit-there', { row, mood, extra: fc.boolean() }) },
  { weight: 1, arbitrary: step('take-back', { row }) },
  { weight: 2, arbitrary: step('delete', { key }) },
  { weight: 2, arbitrary: step('delete-there', { row }) },
  // What is told of it.
  { weight: 7, arbitrary: step('hear', { events: fc.integer({ min: 1, max: 4 }), waits }) },
  { weight: 2, arbitrary: step('hear-again', { event: fc.nat({ max: 20 }) }) },
  { weight: 2, arbitrary: step('hold', {}) },
  { weight: 1, arbitrary: step('hear-held', {}) },
  { weight: 1, arbitrary: step('lose', {}) },
  { weight: 2, arbitrary: step('import', { waits }) },
  { weight: 1, arbitrary: step('fetch', { key }) },
  { weight: 1, arbitrary: step('resolve', { side: fc.constantFrom('local', 'remote') }) },
  { weight: 1, arbitrary: step('revoke', {}) },
  { weight: 2, arbitrary: step('sign-in', {}) },
  {
    weight: 2,
    arbitrary: step('fault', {
      fault: fc.constantFrom('drop-response', 'land-late', 'reset', 'slow', 'bad-gateway'),
      reads: fc.constantFrom(false, false, false, true),
      times: fc.integer({ min: 1, max: 2 }),
    }),
  },
  { weight: 1, arbitrary: step('land', {}) },
  { weight: 2, arbitrary: step('retry', {}) },
  { weight: 1, arbitrary: step('reconcile', {}) },
  { weight: 2, arbitrary: step('pause', { ms: fc.integer({ min: 0, max: 40 }) }) },
  { weight: 1, arbitrary: step('restart', {}) },
);

export type InboundStep = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;

export interface InboundSequence {
  readonly strategy: Strategy;
  readonly steps: readonly InboundStep[];
}

export const anyInboundSequence: fc.Arbitrary<InboundSequence> = fc.record(
  {
    strategy: fc.constantFrom(...(Object.keys(STRATEGIES) as Strategy[])),
    steps: fc.array(anyStep, { minLength: 4, maxLength: 25, size: 'max' }),
  },
  PLAIN,
);
