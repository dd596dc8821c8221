import { fail, ok } from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SourceBatch, SourceEvent } from '../../inbound/sources/record-source.js';
import type { RecordSourceSubject } from './record-source-subject.js';

/** As long as a source may need to connect again. */
const LONGEST = 20_000;

type Told = IteratorResult<SourceBatch, void>;
type RecordEvent = Extract<SourceEvent, { kind: 'record' }>;

/** One iteration of the subject's source, as a consumer of it. */
export class Reading {
  readonly events: SourceEvent[] = [];
  /** What a consumer would have stored: the cursor of the last batch that it has committed. */
  cursor: string | null;
  private readonly ending = new AbortController();
  private readonly iterator: AsyncIterator<SourceBatch, void>;
  private batch: SourceBatch | null = null;
  private pending: Promise<Told> | null = null;

  constructor({ source, did, collection }: RecordSourceSubject, cursor: string | null = null) {
    this.cursor = cursor;
    const { signal } = this.ending;
    const batches = source.open({ cursor, accounts: [did], collections: [collection], signal });
    this.iterator = batches[Symbol.asyncIterator]() as AsyncIterator<SourceBatch, void>;
  }

  /** Opens the source, and writes until the source tells of it: it is connected then. */
  static async started(subject: RecordSourceSubject): Promise<Reading> {
    const reading = new Reading(subject);
    const end = Date.now() + LONGEST;
    for (let probe = 1; Date.now() < end; probe++) {
      const { rev } = await subject.write(`probe-${probe}`, { $type: subject.collection, probe });
      if (await reading.told((event) => event.rev === rev, 1_000)) return reading;
    }
    return fail('the source tells nothing of what is written after it was opened');
  }

  /** Asks for batches, and so acknowledges those before, until one has the record's revision. */
  async record(rev: string): Promise<RecordEvent> {
    const event = await this.told((record) => record.rev === rev, LONGEST);
    return event ?? fail(`the record of the commit ${rev} is not told within ${LONGEST} ms`);
  }

  async find(isIt: (event: SourceEvent) => boolean, what: string): Promise<SourceEvent> {
    return (await this.search(isIt, LONGEST)) ?? fail(`${what} is not told within ${LONGEST} ms`);
  }

  /** Acknowledges what was told, and leaves the source waiting for more. */
  async idle(): Promise<void> {
    await this.search(() => false, 200);
  }

  /** Acknowledges what was told, and ends the iteration while it waits for more. */
  async stop(): Promise<void> {
    await this.idle();
    await this.end();
  }

  /** Ends the iteration without acknowledging the batch that was told last. */
  async abandon(): Promise<void> {
    ok(this.pending === null && this.batch !== null, 'a batch is being worked on');
    await this.iterator.return?.();
    this.ending.abort();
  }

  /** Ends it by its signal. */
  async end(): Promise<void> {
    this.ending.abort();
    for (const limit = Date.now() + 2_000; Date.now() < limit;) {
      const told = await within(this.ask(), limit - Date.now());
      if (told === null) break;
      this.pending = null;
      if (told.done === true) return;
      this.commit(told.value);
    }
    fail('the iteration does not end within 2000 ms of its signal');
  }

  private async told(isIt: (record: RecordEvent) => boolean, limit: number): Promise<RecordEvent | null> {
    const found = await this.search((event) => event.kind === 'record' && isIt(event), limit);
    return found as RecordEvent | null;
  }

  private async search(isIt: (event: SourceEvent) => boolean, limit: number): Promise<SourceEvent | null> {
    for (const end = Date.now() + limit; ;) {
      const told = await within(this.ask(), end - Date.now());
      if (told === null) return null;
      this.pending = null;
      if (told.done === true) return fail('the iteration ends by itself');
      this.commit(told.value);
      const found = told.value.events.find(isIt);
      if (found !== undefined) return found;
    }
  }

  private ask(): Promise<Told> {
    return (this.pending ??= this.iterator.next());
  }

  private commit(batch: SourceBatch): void {
    this.batch = batch;
    this.events.push(...batch.events);
    this.cursor = batch.cursor;
  }
}

async function within<T>(work: Promise<T>, milliseconds: number): Promise<T | null> {
  const ending = new AbortController();
  try {
    return await Promise.race([
      work,
      sleep(Math.max(0, milliseconds), null, { signal: ending.signal }).catch(() => null),
    ]);
  } finally {
    ending.abort();
  }
}
