import { ParityEvents } from '../../lib/events/parity-events.js';
import type { SessionLogger } from '../../lib/sessions/session-logger.js';

/** What was emitted, in order, as `name:reason` lines that a test can compare. */
export function recordedEvents() {
  const seen: object[] = [];
  const events = new ParityEvents(
    { listenersAny: () => [], listeners: () => [(event: object) => void seen.push(event)] },
    (_event, error) => {
      throw error;
    },
  );
  return {
    events,
    seen,
    names: () => seen.map((event) => event.constructor.name),
  };
}

export function recordedLogs() {
  const lines: string[] = [];
  const write = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  const logger: SessionLogger = {
    debug: write('debug'),
    log: write('log'),
    warn: write('warn'),
    error: write('error'),
  };
  return { logger, lines };
}

export interface Exchange {
  readonly method: string;
  readonly url: string;
}

/** A `fetch` that counts, and answers itself where `answer` does. */
export function interceptedFetch(answer: (url: URL) => Response | undefined = () => undefined) {
  const requests: Exchange[] = [];
  const state = { answer };
  const intercepted: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    requests.push({ method: request.method, url: request.url });
    return state.answer(new URL(request.url)) ?? fetch(request);
  };
  return {
    fetch: intercepted,
    requests,
    /** How many requests had this in their URL. */
    count: (part: string) => requests.filter(({ url }) => url.includes(part)).length,
    answerWith: (next: (url: URL) => Response | undefined) => void (state.answer = next),
  };
}

export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`Resolved with ${JSON.stringify(value)} instead of rejecting`);
    },
    (error: unknown) => error,
  );
}
