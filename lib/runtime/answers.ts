import { within } from './within.js';

/** The answer of the application's own code: a value, or a promise of one. */
export type Answer<T> = T | Promise<T>;

/** The application's own code did not answer in time. */
class NoAnswerError extends Error {
  constructor(milliseconds: number) {
    super(`it did not answer within ${milliseconds} ms (option sync.functionTimeoutMs)`);
  }
}

/**
 * Gives a value at once, and what a promise gives if it does so in time.
 *
 * @throws NoAnswerError
 */
export function withinTime<T>(answer: Answer<T>, milliseconds: number): Answer<T> {
  return isPromise(answer) ? inTime(Promise.resolve(answer), milliseconds) : answer;
}

/** Applies `fn` to an answer, at once if that is a value. */
export function mapAnswer<T, U>(answer: Answer<T>, fn: (value: T) => Answer<U>): Answer<U> {
  return isPromise(answer) ? answer.then(fn) : fn(answer as T);
}

/**
 * An answer that is a value; undefined for a promise, which is not awaited.
 *
 * In a transaction nothing waits for the application's code: a function that asks the pool for a connection
 * may have to wait for the connection that its caller holds.
 */
export function answeredAtOnce<T>(answer: Answer<T>): { readonly value: T } | undefined {
  if (!isPromise(answer)) return { value: answer as T };
  answer.catch(() => undefined);
  return undefined;
}

async function inTime<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  if (!(await within(milliseconds, work))) throw new NoAnswerError(milliseconds);
  return work;
}

/** Not by `instanceof`: libraries replace the global Promise, and other realms have one of their own. */
export const isPromise = <T>(value: Answer<T>): value is Promise<T> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
