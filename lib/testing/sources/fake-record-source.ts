import type {
  OpenOptions,
  RecordSource,
  SourceBatch,
  SourceEvent,
} from '../../inbound/sources/record-source.js';

interface Entry {
  readonly events: readonly SourceEvent[];
  /** Why the entry is no message that can be read. */
  readonly garbage?: string;
  acknowledge(): void;
}

/**
 * A source for tests: it tells what the test pushes.
 *
 * Each push is a batch. It resolves once its effects are committed, so that a test can look at its database
 * after it. A source that is opened without a cursor begins with the first push that was not acknowledged.
 */
export class FakeRecordSource implements RecordSource {
  readonly filtersAccounts = false;
  onSkipped?: (reason: string) => void;
  onInterrupted?: (reason: string) => void;
  /** How it was opened, the latest last. */
  readonly opened: Omit<OpenOptions, 'signal'>[] = [];
  private readonly entries: Entry[] = [];
  private acknowledged = 0;
  private ended: Error | true | null = null;
  private wake: () => void = () => {};

  constructor(readonly name = 'fake') {}

  /** @returns once the effects of these events are committed */
  push(...events: readonly SourceEvent[]): Promise<void> {
    return this.add({ events });
  }

  /** Tells that events may be missing. */
  gap(reason = 'told by the test'): Promise<void> {
    return this.add({ events: [{ kind: 'gap', reason }] });
  }

  /** A message that cannot be read. @returns once the source is asked for what comes after it */
  garbage(reason = 'garbage of the test'): Promise<void> {
    return this.add({ events: [], garbage: reason });
  }

  /**
   * Ends the iteration after what was pushed; a source that is opened again goes on.
   *
   * @param error with which it ends, as for a refused password
   */
  end(error?: Error): void {
    this.ended = error ?? true;
    this.wake();
  }

  async *open(options: OpenOptions): AsyncGenerator<SourceBatch, void> {
    const { signal, cursor, ...asked } = options;
    this.opened.push({ cursor, ...asked });
    let at = cursor === null ? this.acknowledged : Number(cursor);
    let position = cursor;
    yield { events: [], cursor };
    while (!signal.aborted) {
      const entry = this.entries[at];
      if (entry === undefined) {
        if (this.ended !== null) return this.over();
        await this.change(signal);
        continue;
      }
      at++;
      if (entry.garbage !== undefined) this.onSkipped?.(entry.garbage);
      if (!entry.events.some(({ kind }) => kind === 'gap')) position = String(at);
      if (entry.events.length > 0) yield { events: entry.events, cursor: position };
      this.acknowledged = Math.max(this.acknowledged, at);
      entry.acknowledge();
    }
  }

  private add(entry: Omit<Entry, 'acknowledge'>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.entries.push({ ...entry, acknowledge: resolve });
    this.wake();
    return promise;
  }

  private over(): void {
    const ended = this.ended;
    this.ended = null;
    if (ended instanceof Error) throw ended;
  }

  private async change(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.wake = wake;
    signal.addEventListener('abort', wake, { once: true });
    await promise;
    signal.removeEventListener('abort', wake);
  }
}
