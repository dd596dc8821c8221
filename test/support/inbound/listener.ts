import type { OpenOptions, RecordSource, SourceEvent } from '../../../lib/inbound/sources/record-source.js';
import { until } from '../until.js';

/** Follows a source, and keeps all that it is told. */
export class Listener implements AsyncDisposable {
  readonly events: SourceEvent[] = [];
  readonly skipped: string[] = [];
  readonly interruptions: string[] = [];
  cursor: string | null;
  /** With which the iteration ended. */
  error: unknown = null;
  private readonly ending = new AbortController();
  private readonly following: Promise<void>;

  constructor(source: RecordSource, options: Partial<OpenOptions> = {}) {
    source.onSkipped = (reason) => this.skipped.push(reason);
    source.onInterrupted = (reason) => this.interruptions.push(reason);
    this.cursor = options.cursor ?? null;
    this.following = this.follow(source, {
      cursor: null,
      accounts: null,
      collections: ['com.example.note'],
      signal: this.ending.signal,
      ...options,
    });
  }

  /** All that was told in short: `record one`, `record one deleted`, `sync`, `account false`, `gap`. */
  get told(): string[] {
    return this.events.map((event) => {
      if (event.kind === 'record') return `record ${event.rkey}${event.cid === null ? ' deleted' : ''}`;
      return event.kind === 'account' ? `account ${event.active}` : event.kind;
    });
  }

  async until(...told: string[]): Promise<void> {
    await until(() => told.every((one) => this.told.includes(one)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ending.abort();
    await this.following;
  }

  private async follow(source: RecordSource, options: OpenOptions): Promise<void> {
    try {
      for await (const batch of source.open(options)) {
        this.events.push(...batch.events);
        this.cursor = batch.cursor;
      }
    } catch (error) {
      this.error = error;
    }
  }
}
