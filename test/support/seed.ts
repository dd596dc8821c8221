import { randomInt } from 'node:crypto';

/**
 * What random tests begin with: other numbers in each run. They are printed; the variable repeats a failure.
 */
export function seedsOf(variable: string): [number, ...number[]] {
  const [first = randomInt(2 ** 31), ...more] = process.env[variable]?.split(',').map(Number) ?? [];
  process.stdout.write(`${variable}=${[first, ...more].join()}\n`);
  return [first, ...more];
}
