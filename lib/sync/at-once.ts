/** Turns of the microtask queue: ours take some ten, the rest is for what the application's own functions await. */
const TURNS = 100;

/**
 * What each promise gives that waits for other promises only; undefined for one that waits for the world, or fails. In a transaction there is no
 * waiting for more: a function that asks the pool for a connection may have to wait for the one that its caller holds.
 */
export async function atOnce<T>(promises: readonly Promise<T>[]): Promise<(T | undefined)[]> {
  const values = new Map<number, T>();
  promises.forEach((promise, index) =>
    promise.then(
      (value) => values.set(index, value),
      () => undefined,
    ),
  );
  for (let turn = 0; turn < TURNS && values.size < promises.length; turn++) await undefined;
  return promises.map((_, index) => values.get(index));
}
