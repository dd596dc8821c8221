import { XRPCError } from '@atproto/api';
import { causesOf } from '../errors/causes-of.js';
import { notXrpc } from './answer-failure.js';
import { outage, transient, type Failure, type FailureContext } from './failure-kinds.js';

/** Errors from before there was a connection: no request can have been sent. */
const NEVER_CONNECTED: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** There was a connection, and it ended without an answer. */
const BROKEN: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

export const isConnectionBroken = (error: unknown): boolean =>
  [...causesOf(error)].some((cause) => BROKEN.has((cause as { readonly code?: unknown }).code));

/**
 * Asks a second time where the connection broke: a server may close one that was kept for the next request,
 * while this is under way. For requests that change nothing.
 */
export const askedAgain =
  (fetch: typeof globalThis.fetch): typeof globalThis.fetch =>
  async (input, init) => {
    try {
      return await fetch(input, init);
    } catch (error) {
      if (!isConnectionBroken(error)) throw error;
      return fetch(input, init);
    }
  };

/** Whether an error is one of a connection, or of a time limit. */
export function isOfNetwork(error: unknown): boolean {
  const { name, code } = error as { readonly name?: unknown; readonly code?: unknown };
  if (name === 'TimeoutError' || name === 'AbortError') return true;
  return typeof code === 'string' && /^(E[A-Z]+|EAI_AGAIN|UND_ERR_\w+)$/.test(code);
}

/** Classifies a request without an answer. */
export function noAnswerFailure(error: unknown, context: FailureContext): Failure {
  if (error instanceof XRPCError && Number(error.status) === 2) {
    return outage('unknown', notXrpc(error, context), context, error);
  }
  for (const cause of causesOf(error)) {
    const { name, code } = cause as { readonly name?: unknown; readonly code?: unknown };
    if (NEVER_CONNECTED.has(code)) {
      return outage('not-applied', `it cannot be reached (${String(code)})`, context, error);
    }
    if (name === 'TimeoutError') return outage('unknown', 'it did not answer in time', context, error);
    if (name === 'AbortError') {
      return transient('unknown', 'it had not answered when the caller stopped waiting', context, error);
    }
    if (typeof code === 'string' && /^(E[A-Z]+|UND_ERR_\w+)$/.test(code)) {
      return outage('unknown', `the connection broke (${code})`, context, error);
    }
  }
  return outage('unknown', 'the request failed without an answer', context, error);
}
