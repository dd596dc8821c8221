import type {
  OpenOptions,
  RecordSource,
  SourceBatch,
  SourceEvent,
} from '../../../lib/inbound/sources/record-source.js';
import type { MemoryService } from './memory-service.js';

/** A rule of the port that a source breaks. */
export type Flaw =
  | 'acknowledges early'
  | 'begins anew'
  | 'ends when closed'
  | 'ignores its signal'
  | 'ignores its signal after a batch'
  | 'loses while a batch is worked on'
  | 'loses what a broken connection had'
  | 'reads ahead without an end'
  | 'says nothing of garbage'
  | 'stops at garbage'
  | 'tells no accounts'
  | 'tells no gap'
  | 'tells no revision'
  | 'tells another CID'
  | 'tells in another order'
  | 'tells no deletions';

/** Follows a `MemoryService` as the port demands, but for one flaw. */
export class MemorySource implements RecordSource {
  readonly name = 'memory';
  readonly filtersAccounts = false;
  onSkipped?: (reason: string) => void;
  /** As a service that keeps the position itself would. */
  private kept = 0;

  constructor(
    private readonly service: MemoryService,
    private readonly flaw: Flaw | null = null,
  ) {}

  async *open({ cursor, signal }: OpenOptions): AsyncGenerator<SourceBatch, void> {
    const { service } = this;
    let at = this.start(cursor);
    let breaks = service.breaks.length;
    const waits = this.is('ignores its signal') ? null : signal;
    const isOver = (): boolean => waits?.aborted === true;
    while (!isOver()) {
      if (service.breaks.length > breaks) {
        if (this.is('ends when closed') && service.breaks.at(-1) === 'close') return;
        if (this.is('loses what a broken connection had')) at = service.log.length;
        breaks = service.breaks.length;
      }
      if (at < service.oldest) {
        at = service.oldest;
        if (!this.is('tells no gap')) yield { events: [{ kind: 'gap', reason: 'forgotten' }], cursor };
      }
      if (at >= service.log.length) {
        await service.change(waits);
        continue;
      }
      const from = at;
      at = Math.min(service.log.length, from + 10);
      if (this.is('reads ahead without an end')) void this.readAhead(signal);
      service.read += at - from;
      const events = service.log.slice(from, at).flatMap((message) => this.told(message));
      if (this.is('tells in another order')) events.reverse();
      if (this.is('acknowledges early')) this.kept = at;
      if (events.length > 0) yield { events, cursor: this.cursor(at) };
      this.kept = Math.max(this.kept, at);
      if (this.is('loses while a batch is worked on') && service.breaks.length > breaks)
        at = service.log.length;
      while (this.is('ignores its signal after a batch') && signal.aborted) await service.change(null);
    }
  }

  private is(flaw: Flaw): boolean {
    return this.flaw === flaw;
  }

  private start(cursor: string | null): number {
    if (this.is('begins anew')) return this.service.log.length;
    if (this.is('acknowledges early')) return this.kept;
    return cursor === null ? this.service.log.length : Number(cursor);
  }

  private cursor(at: number): string | null {
    return this.is('acknowledges early') ? null : String(at);
  }

  private told(message: SourceEvent | null): SourceEvent[] {
    if (message === null) {
      if (this.is('stops at garbage')) throw new Error('garbage');
      if (!this.is('says nothing of garbage')) this.onSkipped?.('garbage');
      return [];
    }
    if (message.kind === 'account' && this.is('tells no accounts')) return [];
    if (message.kind !== 'record') return [message];
    if (message.cid === null && this.is('tells no deletions')) return [];
    if (this.is('tells no revision')) return [{ ...message, rev: '' }];
    if (this.is('tells another CID') && message.cid !== null) return [{ ...message, cid: 'bafyother' }];
    return [message];
  }

  private async readAhead(signal: AbortSignal): Promise<void> {
    let at = this.service.log.length;
    while (!signal.aborted) {
      await this.service.change(signal);
      this.service.read += this.service.log.length - at;
      at = this.service.log.length;
    }
  }
}
