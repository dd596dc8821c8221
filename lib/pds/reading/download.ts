import type { Cid } from '@atproto/lex-data';
import { broken } from './broken.js';
import type { RepositoryBlocks } from './repository-blocks.js';

export interface DownloadLimits {
  readonly maxBytes: number;
  /** Milliseconds that may pass without a byte. */
  readonly stallMs: number;
  /** Milliseconds in all. */
  readonly downloadMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/**
 * Reads a CAR into blocks; ends within its limits, whatever the server does.
 *
 * @param open makes the request
 * @returns the CID of the commit
 * @throws RepositoryUnreadableError; what `open` throws; the error of a connection, or of a time limit; the
 *   signal's reason
 */
export async function download(
  open: (signal: AbortSignal) => Promise<Response>,
  blocks: RepositoryBlocks,
  { maxBytes, stallMs, downloadMs, signal, onBytes }: DownloadLimits,
): Promise<Cid> {
  signal?.throwIfAborted();
  const limit = new Limits(stallMs, downloadMs, signal);
  try {
    const response = await limit.wait(open(limit.signal));
    const announced = Number(response.headers.get('content-length') ?? 0);
    const reader = response.body?.getReader();
    try {
      if (announced > maxBytes) throw tooLarge(blocks.did, maxBytes);
      for (let read = await next(reader, limit); read !== undefined; read = await next(reader, limit)) {
        if (blocks.size + read.length > maxBytes) throw tooLarge(blocks.did, maxBytes);
        await blocks.add(read);
        onBytes?.(blocks.size);
      }
    } catch (error) {
      // Not waited for: a server that stands still would never end it.
      reader?.cancel().catch(() => undefined);
      throw error;
    }
    return blocks.end();
  } finally {
    limit.end();
  }
}

const next = async (
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
  limit: Limits,
): Promise<Uint8Array | undefined> => reader && (await limit.wait(reader.read())).value;

const tooLarge = (did: string, maxBytes: number): Error =>
  broken(did, 'too-large', `it has more than ${maxBytes.toLocaleString('en')} bytes`);

/** Aborts a download that stands still or takes too long, and one that the caller aborts. */
class Limits {
  private readonly controller = new AbortController();
  private readonly stopped = Promise.withResolvers<never>();
  private readonly timer: NodeJS.Timeout;
  private readonly stop = (): void => this.abort(this.caller?.reason);

  constructor(
    private readonly stallMs: number,
    downloadMs: number,
    private readonly caller: AbortSignal | undefined,
  ) {
    this.stopped.promise.catch(() => undefined);
    this.timer = setTimeout(() => this.abort(timeout(`Not downloaded within ${downloadMs} ms`)), downloadMs);
    caller?.addEventListener('abort', this.stop, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  async wait<T>(answer: Promise<T>): Promise<T> {
    const { stallMs } = this;
    const timer = setTimeout(() => this.abort(timeout(`Nothing came for ${stallMs} ms`)), stallMs);
    try {
      return await Promise.race([answer, this.stopped.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  end(): void {
    clearTimeout(this.timer);
    this.caller?.removeEventListener('abort', this.stop);
  }

  private abort(reason: unknown): void {
    this.stopped.reject(reason);
    this.controller.abort(reason);
  }
}

const timeout = (message: string): DOMException => new DOMException(message, 'TimeoutError');
