/**
 * Waits until the work has ended, or for so many milliseconds; then the work goes on by itself.
 *
 * @returns whether the work has ended
 * @throws the error of the work within that time
 */
export async function within(milliseconds: number, work: PromiseLike<unknown>): Promise<boolean> {
  const { promise: over, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), milliseconds);
  try {
    return await Promise.race([work.then(() => true as const), over]);
  } finally {
    clearTimeout(timer);
  }
}
