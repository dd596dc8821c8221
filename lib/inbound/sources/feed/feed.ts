import { setTimeout as sleep } from 'node:timers/promises';
import type { RecordSource, SourceBatch, SourceEvent } from '../record-source.js';
import { FeedError } from './feed-error.js';
import { FeedSocket, type FeedConnection } from './feed-socket.js';
import type { FeedTiming } from './feed-timing.js';

/** Events of a batch, exceeded by those of one message. */
const MOST_EVENTS = 500;

/** One iteration of a source: what it asks its service for, and what it makes of the answers. */
export interface Feed {
  /** The position after all messages that were read. */
  readonly cursor: string | null;
  /** Where to connect, to go on after all messages that were read. */
  connection(): FeedConnection;
  /** Called for each new connection. @returns what has to be told before its messages */
  opened?(socket: FeedSocket, signal: AbortSignal): Promise<SourceEvent[]> | SourceEvent[];
  /** @throws FeedError for a message that ends the connection */
  read(message: Buffer): SourceEvent[];
  /** The effects of all messages that were read are committed. */
  acknowledged?(socket: FeedSocket): void;
  /** @throws an error for what waiting does not mend; it ends the iteration */
  failed?(error: FeedError): void;
}

/**
 * Keeps a feed connected. It reads only when the consumer asks, so that each connection goes on after the
 * last batch that was acknowledged, and a connection that breaks while a batch is worked on hinders nothing.
 */
export async function* follow(
  feed: Feed,
  source: RecordSource,
  timing: FeedTiming,
  signal: AbortSignal,
): AsyncGenerator<SourceBatch, void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      using socket = await FeedSocket.open(feed.connection(), timing.ping, signal);
      for await (const batch of batchesOf(feed, socket, timing, signal)) {
        failures = 0;
        yield batch;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof FeedError)) throw error;
      feed.failed?.(error);
      source.onInterrupted?.(error.message);
    }
    failures++;
    await sleep(timing.pause(failures), undefined, { signal }).catch(() => {});
  }
}

async function* batchesOf(
  feed: Feed,
  socket: FeedSocket,
  timing: FeedTiming,
  signal: AbortSignal,
): AsyncGenerator<SourceBatch, void> {
  const before = (await feed.opened?.(socket, signal)) ?? [];
  if (before.length > 0) yield { events: before, cursor: feed.cursor };
  let told = feed.cursor;
  let toldAt = Date.now();
  while (!signal.aborted) {
    await socket.ready(signal);
    if (signal.aborted) return;
    const { events, failure } = waitingEvents(feed, socket);
    const moved = feed.cursor !== told && Date.now() - toldAt >= timing.quiet;
    if (events.length > 0 || moved) {
      told = feed.cursor;
      yield { events, cursor: told };
      toldAt = Date.now();
    }
    feed.acknowledged?.(socket);
    if (failure !== null) throw failure;
  }
}

/** The failure is kept until what came before it is told. */
function waitingEvents(feed: Feed, socket: FeedSocket): { events: SourceEvent[]; failure: unknown } {
  const events: SourceEvent[] = [];
  try {
    for (let message = socket.next(); message !== undefined; message = socket.next()) {
      events.push(...feed.read(message));
      if (events.length >= MOST_EVENTS) break;
    }
    return { events, failure: null };
  } catch (failure) {
    return { events, failure };
  }
}
