/**
 * Waits until the work has ended, or for so many milliseconds; then the work goes on.
 *
 * @returns whether it has ended
 * @throws what the work threw in that time
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
