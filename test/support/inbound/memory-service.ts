import type { SourceEvent } from '../../../lib/inbound/sources/record-source.js';
import { recordEvent } from '../../../lib/testing/sources/record-event.js';
import type { RecordSourceSubject } from '../../../lib/testing/sources/record-source-subject.js';

/** A message is an event, or garbage. */
export type MemoryMessage = SourceEvent | null;

/** A service in memory, for sources that break one rule of the port. */
export class MemoryService implements Omit<RecordSourceSubject, 'source'> {
  readonly did = 'did:plc:memory';
  readonly collection = 'com.example.note';
  readonly log: MemoryMessage[] = [];
  /** Positions before are forgotten. */
  oldest = 0;
  /** Counts the connections that broke, each with how it did. */
  readonly breaks: ('drop' | 'close')[] = [];
  /** How many messages sources have read. */
  read = 0;
  private wake: (() => void)[] = [];

  async write(rkey: string, record: Readonly<Record<string, unknown>> | null) {
    const event = recordEvent({ did: this.did, collection: this.collection, rkey, record });
    this.send(event);
    if (event.kind !== 'record') throw new Error('no record');
    return { rev: event.rev, cid: event.cid };
  }

  async setActive(active: boolean): Promise<void> {
    this.send({ kind: 'account', did: this.did, active });
  }

  drop(): void {
    this.breakAll('drop');
  }

  close(): void {
    this.breakAll('close');
  }

  garbage(): void {
    this.send(null);
  }

  forget(): void {
    this.send({ kind: 'identity', did: this.did });
    this.oldest = this.log.length;
    this.breakAll('drop');
  }

  async flood(): Promise<boolean> {
    const before = this.read;
    for (let message = 0; message < 1_000; message++) this.send({ kind: 'identity', did: this.did });
    await new Promise((resolve) => setTimeout(resolve, 100));
    return this.read - before < 1_000;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Resolves when something happens, or the signal aborts. */
  async change(signal: AbortSignal | null): Promise<void> {
    await new Promise<void>((resolve) => {
      this.wake.push(resolve);
      signal?.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  private send(message: MemoryMessage): void {
    this.log.push(message);
    this.notify();
  }

  private breakAll(how: 'drop' | 'close'): void {
    this.breaks.push(how);
    this.notify();
  }

  private notify(): void {
    for (const wake of this.wake.splice(0)) wake();
  }
}
