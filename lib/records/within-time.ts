/** The application's own code did not answer. */
export class NoAnswerError extends Error {
  constructor(milliseconds: number) {
    super(`it did not answer within ${milliseconds} ms (option sync.functionTimeoutMs)`);
  }
}

/**
 * Gives what a promise gives, if it does so in time. What answers at once costs no timer.
 *
 * @throws NoAnswerError
 */
export async function withinTime<T>(answer: T | PromiseLike<T>, milliseconds: number): Promise<T> {
  if (!isThenable(answer)) return answer;
  const { promise: over, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new NoAnswerError(milliseconds)), milliseconds);
  try {
    return await Promise.race([answer, over]);
  } finally {
    clearTimeout(timer);
  }
}

const isThenable = <T>(value: T | PromiseLike<T>): value is PromiseLike<T> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
