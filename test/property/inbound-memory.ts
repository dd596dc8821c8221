import { ConflictDetected, ConflictResolved, RecordApplied, RecordRemoved } from 'nestjs-parity';
import type { MemoBase, MemoRecord } from '../support/entities/memo.js';
import type { LogEntry } from '../support/inbound/pds-log.js';

/** One row, or one record. */
export interface Written {
  readonly uri: string;
  readonly cid: string | null;
  readonly text: string;
  readonly mood: string | null;
}

/** Who has written what in a sequence, and the faults that shows. */
export class Memory {
  private texts = 0;
  /** What the other app wrote, by record key; null for a deletion. */
  private readonly theirs = new Map<string, (MemoRecord | null)[]>();
  private readonly theirRevs = new Set<string>();
  /** By the id of a row, what was saved last; null where calls were under way together. */
  private readonly ours = new Map<number, { readonly rkey: string; readonly text: string | null } | null>();

  /** No two are the same. */
  text(where: string): string {
    return `${where} ${++this.texts}`;
  }

  saved({ id, atpRkey, text }: MemoBase, isSure: boolean): void {
    if (id === undefined) return;
    const isKnown = isSure && atpRkey !== null && this.ours.get(id) !== null;
    this.ours.set(id, isKnown ? { rkey: atpRkey, text } : null);
  }

  removes({ id, atpRkey }: MemoBase, isSure: boolean): void {
    const isKnown = isSure && atpRkey !== null && this.ours.get(id) !== null;
    this.ours.set(id, isKnown ? { rkey: atpRkey, text: null } : null);
  }

  theyWrote(rkey: string, record: MemoRecord | null, rev: string | undefined): void {
    if (rev === undefined) return;
    this.theirRevs.add(rev);
    this.theirs.set(rkey, [...(this.theirs.get(rkey) ?? []), record]);
  }

  /** The record before the last one of the other app. */
  before(rkey: string): MemoRecord | null {
    return this.theirs.get(rkey)?.at(-2) ?? null;
  }

  /** @param told `<record key> <CID>` of what the application has told that it has seen */
  faultsOf(
    entries: readonly LogEntry[],
    told: ReadonlySet<string>,
    rows: readonly Written[],
  ): readonly string[] {
    return [...this.overwritten(entries, told), ...this.lost(rows)];
  }

  /** The application has to know what it writes over, and keeps the fields of the other app. */
  private *overwritten(entries: readonly LogEntry[], told: ReadonlySet<string>): Generator<string> {
    const history = new Map<string, Commit[]>();
    for (const { fields } of entries) {
      const { rkey, rev, cid = null, record = null } = fields as unknown as Commit;
      const before = history.get(rkey) ?? [];
      const last = before.at(-1);
      history.set(rkey, [...before, { rkey, rev, cid, record }]);
      if (this.theirRevs.has(rev)) continue;
      if (!this.theirs.has(rkey) && !last && rkey.startsWith('key-'))
        yield `The application made the record ${rkey} of the other app.`;
      if (!last || !this.theirRevs.has(last.rev)) continue;
      const isAgain = before.slice(0, -1).some((one) => one.cid === last.cid);
      if (!isAgain && !told.has(`${rkey} ${last.cid}`))
        yield `${rkey} ${JSON.stringify(last)} was overwritten unseen with ${JSON.stringify(record)}.`;
      if (record && last.record && record['extra'] !== last.record['extra'])
        yield `${rkey} lost a field: ${JSON.stringify(last.record)} became ${JSON.stringify(record)}.`;
    }
  }

  /** A row that nobody else has changed is as it was saved last. */
  private *lost(rows: readonly Written[]): Generator<string> {
    for (const [id, ours] of this.ours) {
      if (!ours || this.theirs.has(ours.rkey)) continue;
      const row = rows.find(({ uri }) => uri.endsWith(`/${ours.rkey}`));
      if ((row?.text ?? null) !== ours.text)
        yield `Row ${id} (${ours.rkey}) should have ${ours.text}, and has ${row?.text}.`;
    }
  }
}

interface Commit {
  readonly rkey: string;
  readonly rev: string;
  readonly cid: string | null;
  readonly record: MemoRecord | null;
}

/** `<record key> <CID>` of what the application has told of the other app. */
export function toldOf(events: readonly object[], entries: readonly LogEntry[]): ReadonlySet<string> {
  const told = new Set<string>();
  const cidOf = (text: unknown): string | null => {
    const found = entries.find(({ fields }) => (fields['record'] as MemoRecord | undefined)?.text === text);
    return found ? String(found.fields['cid']) : null;
  };
  for (const event of events) {
    const rkey = 'uri' in event ? String(event.uri).split('/').at(-1) : '';
    if (event instanceof RecordApplied) told.add(`${rkey} ${event.cid}`);
    else if (event instanceof RecordRemoved) told.add(`${rkey} null`);
    else if (event instanceof ConflictDetected || event instanceof ConflictResolved)
      told.add(`${rkey} ${event.remote === null ? null : cidOf(event.remote['text'])}`);
  }
  return told;
}
