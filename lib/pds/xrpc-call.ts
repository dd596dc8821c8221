import { type Agent, XRPCError } from '@atproto/api';

export interface XrpcCallOptions {
  /** Milliseconds until the call is given up; 15,000 by default. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export const DEFAULT_TIMEOUT_MS = 15_000;

/**
 * Makes one call that ends within its time, whatever happens. The clients have no timeout of their own, and
 * what they do around the request (refreshing a session, waiting for a lock) takes no signal. Once the signal
 * has fired, nothing more is sent.
 */
export async function xrpcCall<T>(
  call: (signal: AbortSignal) => Promise<T>,
  options: XrpcCallOptions,
): Promise<T> {
  try {
    return await withinTime(call, options);
  } catch (error) {
    if (!isStaleToken(error)) throw error;
    // The client could not refresh the session, and hides why. Its next call refreshes again, and tells if
    // the session is gone.
    return withinTime(call, options);
  }
}

async function withinTime<T>(
  call: (signal: AbortSignal) => Promise<T>,
  { timeoutMs = DEFAULT_TIMEOUT_MS, signal }: XrpcCallOptions,
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const isStopped = (): void => reject(controller.signal.reason as Error);
  controller.signal.addEventListener('abort', isStopped);
  const timeout = (): void =>
    controller.abort(new DOMException(`No answer within ${timeoutMs} ms`, 'TimeoutError'));
  const stop = (): void => controller.abort(signal?.reason);
  const timer = setTimeout(timeout, timeoutMs);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([call(controller.signal), stopped]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
    // `fetch` keeps the signal until the whole heap is collected, and through this listener it would keep the
    // answer.
    controller.signal.removeEventListener('abort', isStopped);
  }
}

const isStaleToken = (error: unknown): boolean =>
  error instanceof XRPCError &&
  error.headers !== undefined &&
  ((error.status === 401 && error.error === 'invalid_token') ||
    (error.status === 400 && error.error === 'ExpiredToken'));

/** The PDS that an agent talks to; undefined where the agent does not tell. */
export const serverOf = (agent: Agent): string | undefined =>
  (agent.sessionManager as { readonly dispatchUrl?: URL }).dispatchUrl?.origin;
