import { ParityError } from '../errors/parity.error.js';
import { SessionStoreError } from '../errors/session-store.error.js';

const PLAIN = /^[\w.-]{1,60}$/;

/** @param what failed, as the subject of a sentence: 'The session store' */
export function storeFailure(what: string, error: unknown, did?: string): ParityError {
  // Errors of this package say what to do, and quote nothing.
  if (error instanceof ParityError) return error;
  return new SessionStoreError(`${what} failed (${nameOf(error)}).`, { did });
}

/**
 * Runs `fn`.
 *
 * @throws SessionStoreError instead of the store's own error, whose text may hold secrets
 */
export async function inStore<T>(what: string, fn: () => T | PromiseLike<T>, did?: string): Promise<T> {
  try {
    return await fn();
  } catch (error) {
    throw storeFailure(what, error, did);
  }
}

function nameOf(error: unknown): string {
  const { name, code } = (error ?? {}) as { readonly name?: unknown; readonly code?: unknown };
  const called = name === 'Error' ? (error as Error).constructor.name : name;
  const parts = [called, code].filter((part) => typeof part === 'string' && PLAIN.test(part));
  return parts.join(' ') || 'no reason given';
}
