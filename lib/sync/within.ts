/**
 * In ms: how long a shutdown waits for the work under way. What is left then stays pending, where it is kept.
 */
export const SHUTDOWN_LIMIT = 10_000;

/** Resolves when the work has ended, or after so many milliseconds; then the work goes on. */
export async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  try {
    await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}
