import { within } from './within.js';

/** The application's own code did not answer. */
class NoAnswerError extends Error {
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
  // Once: to ask some thenables again is to run them again.
  const work = Promise.resolve(answer);
  if (!(await within(milliseconds, work))) throw new NoAnswerError(milliseconds);
  return work;
}

const isThenable = <T>(value: T | PromiseLike<T>): value is PromiseLike<T> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
