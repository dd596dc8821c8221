import { isRare, POINTS, type Point } from './points.js';
import { random } from './random.js';

/**
 * How a process dies: by SIGKILL, but for `stopped`. `tag` marks the entities of its quiet account. No later
 * process edits them, so none does by chance what this one left undone.
 *
 * - `at-point`: in the lane worker of the quiet account.
 * - `at-random`: after so many milliseconds.
 * - `committed`: right after the COMMIT of this write, before anything is dispatched.
 * - `deleted`: a delete has landed, and before it is settled the entity is back again.
 * - `created`: a create has landed, and before it is settled the entity is gone.
 * - `stopped`: SIGTERM after so many milliseconds, in the middle of writes; SIGKILL after its grace (in ms).
 * - `under-way`: an update that lands only after the next process has worked; meanwhile it was edited back.
 */
export type Death = { readonly tag: string } & Kind;

type Kind =
  | { readonly kind: 'at-point'; readonly point: Point; readonly nth: number }
  | { readonly kind: 'at-random'; readonly ms: number }
  | { readonly kind: 'stopped'; readonly ms: number; readonly grace: number }
  | { readonly kind: 'committed'; readonly write: CommittedWrite }
  | { readonly kind: 'deleted'; readonly back: Back }
  | { readonly kind: 'created' }
  | { readonly kind: 'under-way' };

export type CommittedWrite = 'insert' | 'edit' | 'remove' | 'soft-remove' | 'recover' | 'hide' | 'show';
/** More than any shutdown takes. */
export const LONG_GRACE = 30_000;
/** `recover-created`: what the process before it created. */
export type Back = 'recover' | 'show' | 'publish' | 'recover-created';

/** The first ones are what a short run has time for. */
const DIRECTED: readonly (readonly Kind[])[] = [
  [{ kind: 'committed', write: 'edit' }],
  [{ kind: 'deleted', back: 'recover' }],
  [{ kind: 'stopped', ms: 300, grace: LONG_GRACE }],
  [{ kind: 'committed', write: 'insert' }],
  [{ kind: 'under-way' }],
  // One process after the other: neither the create nor the delete is settled.
  [{ kind: 'created' }, { kind: 'deleted', back: 'recover-created' }],
  [{ kind: 'committed', write: 'remove' }],
  [{ kind: 'deleted', back: 'show' }],
  [{ kind: 'committed', write: 'soft-remove' }],
  [{ kind: 'deleted', back: 'publish' }],
  [{ kind: 'committed', write: 'recover' }],
  [{ kind: 'committed', write: 'hide' }],
  [{ kind: 'committed', write: 'show' }],
];

/** No divisor of the number of points: a short run meets points of all kinds, a long one all of them. */
const STRIDE = 7;

/**
 * A third is directed, a sixth at random or in a shutdown, and the others go round all points of the worker.
 */
export function deaths(count: number, seed: number): Death[] {
  const { integer, pick } = random(seed);
  const all: Death[] = [];
  let points = seed;
  const atPoint = (): Kind => {
    const point = POINTS[(points++ * STRIDE) % POINTS.length]!;
    return {
      kind: 'at-point',
      point,
      nth: isRare(point) ? 1 : 1 + integer(point.endsWith('query') ? 20 : 3),
    };
  };
  const atRandom = (): Kind => ({ kind: 'at-random', ms: integer(500) });
  const stopped = (): Kind => ({
    kind: 'stopped',
    ms: integer(500),
    grace: pick([LONG_GRACE, integer(100)]),
  });
  for (let turn = 0; all.length < count; turn++) {
    const kinds =
      turn % 3 === 0
        ? DIRECTED[(turn / 3) % DIRECTED.length]!
        : [turn % 6 !== 2 ? atPoint() : turn % 12 === 2 ? atRandom() : stopped()];
    for (const kind of kinds) all.push({ tag: `life ${turn}`, ...kind });
  }
  return all.slice(0, count);
}

export function nameOf({ kind, ...death }: Death): string {
  if ('point' in death) return death.point;
  if ('write' in death) return `${kind} ${death.write}`;
  return 'back' in death ? `${kind} ${death.back}` : kind;
}
