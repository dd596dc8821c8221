import fc from 'fast-check';

/** Rows, accounts and texts are few, so that steps meet each other. */
const row = fc.nat({ max: 3 });
const account = fc.nat({ max: 1 });
const text = fc.constantFrom('a', 'b', 'c', 'd');
const open = fc.boolean();

/** A counterexample is told as it can be pasted into found.test.ts. */
const PLAIN = { noNullPrototype: true } as const;

const step = <K extends string, R extends object>(kind: K, rest: { [P in keyof R]: fc.Arbitrary<R[P]> }) =>
  fc.record(
    { kind: fc.constant(kind), ...rest } as unknown as {
      [P in keyof (R & { kind: K })]: fc.Arbitrary<(R & { kind: K })[P]>;
    },
    PLAIN,
  );

/** What an application does to its entities; also inside a transaction. */
const write = fc.oneof(
  { weight: 4, arbitrary: step('insert', { account, text, open: fc.constantFrom(true, true, false) }) },
  { weight: 4, arbitrary: step('edit', { row, text }) },
  step('save-partly', { row, text }),
  step('update-where', { row, text }),
  step('hide', { row, open }),
  step('give-to', { row, account }),
  { weight: 2, arbitrary: step('remove', { row }) },
  step('delete-where', { row }),
  { weight: 2, arbitrary: step('soft-remove', { row }) },
  { weight: 2, arbitrary: step('recover', { row }) },
  { weight: 2, arbitrary: step('card', { row, account, text, open }) },
  step('remove-card', { row }),
  step('give-card-to', { row, account }),
  { weight: 2, arbitrary: step('profile', { account, text, open: fc.constantFrom(true, true, false) }) },
  step('remove-profile', { account }),
  step('replace-profile', { account, text }),
);

export type WriteStep = typeof write extends fc.Arbitrary<infer T> ? T : never;

const writes = fc.array(write, { minLength: 1, maxLength: 3 });

export const FAULTS = [
  'drop-response',
  'land-late',
  'reset',
  'server-error',
  'bad-gateway',
  'too-many',
  'slow',
  'down',
  'silent',
] as const;

const anyStep = fc.oneof(
  { weight: 14, arbitrary: write },
  {
    weight: 3,
    arbitrary: step('transaction', {
      writes,
      savepoint: fc.option(fc.record({ writes, rollback: fc.boolean() }, PLAIN), { nil: null }),
      rollback: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: step('side-by-side', { writes }) },
  { weight: 1, arbitrary: step('unit', { writes }) },
  { weight: 1, arbitrary: step('publish', { row }) },
  { weight: 1, arbitrary: step('unpublish', { row }) },
  { weight: 1, arbitrary: step('touch', { row }) },
  { weight: 2, arbitrary: step('revoke', { account }) },
  { weight: 2, arbitrary: step('sign-in', { account }) },
  { weight: 2, arbitrary: step('stranger-edits', { row }) },
  { weight: 1, arbitrary: step('stranger-deletes', { row }) },
  {
    weight: 5,
    arbitrary: step('fault', {
      fault: fc.constantFrom(...FAULTS),
      reads: fc.constantFrom(false, false, true),
      times: fc.integer({ min: 1, max: 2 }),
    }),
  },
  { weight: 1, arbitrary: step('land', {}) },
  { weight: 2, arbitrary: step('retry', { account }) },
  { weight: 2, arbitrary: step('pause', { ms: fc.integer({ min: 0, max: 60 }) }) },
  { weight: 1, arbitrary: step('restart', {}) },
);

export type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;

export const anySteps: fc.Arbitrary<Step[]> = fc.array(anyStep, { minLength: 5, maxLength: 30, size: 'max' });
