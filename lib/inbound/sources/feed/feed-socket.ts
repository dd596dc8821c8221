import { WebSocket, type RawData } from 'ws';
import { reasonOf } from '../../../errors/reason-of.js';
import { FeedError } from './feed-error.js';

/** Messages, and bytes, that wait before the service has to. Both are exceeded by what one read brings. */
const MOST_WAITING = 1_000;
const MOST_BYTES = 16 * 1024 * 1024;
const LONGEST_MESSAGE = 32 * 1024 * 1024;
const LONGEST_HANDSHAKE = 15_000;
const LONGEST_REFUSAL = 16_384;

export interface FeedConnection {
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocol?: string;
}

/**
 * One websocket whose messages wait until they are asked for.
 *
 * The socket is paused while enough messages wait: then TCP makes the service wait, and nothing grows here.
 * A ping tells a silent service from a half-open socket, which would be read for ever.
 */
export class FeedSocket implements Disposable {
  private readonly waiting: Buffer[] = [];
  private first = 0;
  private bytes = 0;
  private missed = 0;
  private broken: FeedError | null = null;
  private wake: () => void = () => {};

  private constructor(
    private readonly socket: WebSocket,
    private readonly host: string,
    private readonly pings: NodeJS.Timeout,
  ) {}

  /** @throws FeedError when the service refuses or does not answer; the signal's reason when it aborts */
  static async open(connection: FeedConnection, ping: number, signal: AbortSignal): Promise<FeedSocket> {
    signal.throwIfAborted();
    const { url, headers = {}, protocol } = connection;
    const socket = new WebSocket(url, protocol === undefined ? [] : [protocol], {
      headers,
      handshakeTimeout: LONGEST_HANDSHAKE,
      maxPayload: LONGEST_MESSAGE,
      perMessageDeflate: false,
    });
    const pings = setInterval(() => feed.ping(), ping);
    pings.unref();
    const feed = new FeedSocket(socket, url.host, pings);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.on('open', resolve);
    socket.on('unexpected-response', (_, response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        if (body.length < LONGEST_REFUSAL) body += chunk.toString();
      });
      response.on('error', () => {});
      response.on('close', () => feed.break(refusal(url.host, response.statusCode ?? 0, body)));
    });
    socket.on('message', (data) => feed.heard(data));
    for (const sign of ['ping', 'pong'] as const) socket.on(sign, () => (feed.missed = 0));
    socket.on('error', (error) => feed.break(new FeedError(`${url.host}: ${reasonOf(error)}`)));
    socket.on('close', (code, reason) => feed.break(closed(url.host, code, reason.toString())));
    feed.wake = () => reject(feed.broken ?? signal.reason);
    const abort = (): void => feed.wake();
    signal.addEventListener('abort', abort, { once: true });
    try {
      await promise;
      return feed;
    } catch (error) {
      feed[Symbol.dispose]();
      throw error;
    } finally {
      feed.wake = () => {};
      signal.removeEventListener('abort', abort);
    }
  }

  /** Waits for a message. It resolves without one when the connection is broken or the signal aborts. */
  async ready(signal: AbortSignal): Promise<void> {
    if (this.first < this.waiting.length || this.broken !== null || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.wake = resolve;
    const abort = (): void => resolve();
    signal.addEventListener('abort', abort, { once: true });
    await promise;
    signal.removeEventListener('abort', abort);
    this.wake = () => {};
  }

  /** @throws FeedError once all messages of a broken connection are taken */
  next(): Buffer | undefined {
    const message = this.waiting[this.first];
    if (message === undefined) {
      if (this.broken !== null) throw this.broken;
      return undefined;
    }
    this.first++;
    this.bytes -= message.length;
    if (this.first < MOST_WAITING && this.first < this.waiting.length) return message;
    this.waiting.splice(0, this.first);
    this.first = 0;
    if (this.waiting.length === 0 && this.socket.isPaused) {
      this.missed = 0;
      this.socket.resume();
    }
    return message;
  }

  /** @returns whether the message is on its way; it is not once the connection is broken */
  send(text: string): boolean {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(text, () => {});
    return true;
  }

  [Symbol.dispose](): void {
    clearInterval(this.pings);
    this.broken ??= new FeedError(`${this.host}: closed here`);
    if (this.socket.readyState === WebSocket.CONNECTING) return this.socket.terminate();
    // What was sent goes out before; a service that does not answer the close is left after a second.
    this.socket.close();
    this.socket.resume();
    setTimeout(() => this.socket.terminate(), 1_000).unref();
  }

  private heard(data: RawData): void {
    if (this.broken !== null) return;
    const message = asBuffer(data);
    this.missed = 0;
    this.waiting.push(message);
    this.bytes += message.length;
    if (this.waiting.length - this.first >= MOST_WAITING || this.bytes >= MOST_BYTES) this.socket.pause();
    this.wake();
  }

  /** Counts silent intervals rather than time: after a blocked event loop one answer may still be unread. */
  private ping(): void {
    if (this.socket.isPaused || this.socket.readyState !== WebSocket.OPEN) return;
    if (++this.missed > 2) {
      this.break(new FeedError(`${this.host}: silent, and does not answer pings`));
      this.socket.terminate();
      return;
    }
    this.socket.ping(() => {});
  }

  private break(error: FeedError): void {
    this.broken ??= error;
    clearInterval(this.pings);
    this.wake();
  }
}

const asBuffer = (data: RawData): Buffer => {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
};

const closed = (host: string, code: number, reason: string): FeedError =>
  new FeedError(`${host}: closed with code ${code}${reason === '' ? '' : ` (${reason})`}`);

function refusal(host: string, status: number, body: string): FeedError {
  let code: string | undefined;
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    if (typeof error === 'string') code = error;
  } catch {
    // no XRPC answer: the status says all
  }
  return new FeedError(`${host}: answers ${status}${code === undefined ? '' : ` ${code}`}`, {
    status,
    ...(code === undefined ? {} : { code }),
  });
}
