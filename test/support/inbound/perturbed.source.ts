import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenOptions, RecordSource, SourceBatch, SourceEvent } from 'nestjs-parity';
import type { Random } from '../random.js';

/**
 * Tells what another source tells, in another order: events wait for a while, and some come twice. An event that
 * was told late comes after newer ones of its own address, too.
 */
export class PerturbedSource implements RecordSource {
  readonly filtersAccounts = false;
  readonly name: string;
  private readonly waiting: { readonly at: number; readonly event: SourceEvent }[] = [];
  private isFlushing = false;

  constructor(
    private readonly source: RecordSource,
    private readonly random: Random,
    /** The share of the events that are told twice, or late. */
    private readonly share: number,
  ) {
    this.name = `perturbed ${source.name}`;
  }

  /** From now on everything is told at once. */
  flush(): void {
    this.isFlushing = true;
  }

  async *open(options: OpenOptions): AsyncGenerator<SourceBatch, void> {
    const { signal } = options;
    const reading = this.read(options);
    try {
      yield { events: [], cursor: null };
      while (!signal.aborted) {
        const events = this.due();
        if (events.length > 0) yield { events, cursor: null };
        else await sleep(3, undefined, { signal }).catch(() => undefined);
      }
    } finally {
      await reading;
    }
  }

  private async read(options: OpenOptions): Promise<void> {
    for await (const { events } of this.source.open(options)) for (const event of events) this.take(event);
  }

  private take(event: SourceEvent): void {
    const soon = this.random.next() * 15;
    const isOdd = this.random.next() < this.share;
    const isLate = isOdd && this.random.next() < 0.5;
    this.waiting.push({ at: Date.now() + soon + (isLate ? 200 * this.random.next() : 0), event });
    if (isOdd && !isLate) this.waiting.push({ at: Date.now() + 150 * this.random.next(), event });
  }

  private due(): SourceEvent[] {
    const now = this.isFlushing ? Infinity : Date.now();
    const due = this.waiting.filter(({ at }) => at <= now);
    for (const one of due) this.waiting.splice(this.waiting.indexOf(one), 1);
    return due.toSorted((one, other) => one.at - other.at).map(({ event }) => event);
  }
}
