import { atUri } from '../model/address.js';
import { ContentClash } from './content-clash.js';
import { WRITE_POINTS } from './write-budget.js';
import { intentOf, type RecordWrite, type Replaced } from './write-request.js';

export interface SizedWrite {
  readonly write: RecordWrite;
  readonly uri: string;
  /** Size of its JSON in the request. */
  readonly bytes: number;
  /** The CID that it replaces; undefined where it is not known. */
  readonly replaces: Replaced;
}

/** Bytes of one request's body, of which the reference PDS takes no more. */
export const MAX_REQUEST_BYTES = 1_000_000;
/** Writes in one request, of which `applyWrites` takes no more. */
const MAX_WRITES = 200;
/** Everything of a request except its writes: DID, head, braces. */
const ENVELOPE_BYTES = 512;

/** @throws TypeError for a record that has no JSON (a bigint, a circle) */
export function sized(write: RecordWrite, replaces: Replaced = write.replaces): SizedWrite {
  const bytes = Buffer.byteLength(JSON.stringify(operationOf(write))) + 1;
  return { write, uri: atUri(write.address), bytes, replaces };
}

/** How full a request is made; only a single write may go up to the limit. */
const TARGET_BYTES = MAX_REQUEST_BYTES * 0.9;

/** The write as `com.atproto.repo.applyWrites` takes it. */
export function operationOf(write: RecordWrite) {
  const { collection, rkey } = write.address;
  if (write.action === 'delete') {
    return { $type: 'com.atproto.repo.applyWrites#delete' as const, collection, rkey };
  }
  const $type = `com.atproto.repo.applyWrites#${write.action}` as const;
  return { $type, collection, rkey, value: write.record };
}

/** How many writes go into one request. Refusals of the PDS change it. One per call of the writer. */
export class ChunkLimits {
  /** How many writes the PDS takes at once. */
  private capacity = MAX_WRITES;
  /** Smaller than the capacity while the write that spoils its request is looked for. */
  private searching = MAX_WRITES;

  /**
   * The first writes of the queue that can make one commit, at most one for each address, because their order
   * counts.
   *
   * @param points that can be spent; with too few for the first write, none is taken
   */
  take(queue: readonly SizedWrite[], points: number): readonly SizedWrite[] {
    const uris = new Set<string>();
    const contents = new ContentClash();
    let bytes = ENVELOPE_BYTES;
    let cost = 0;
    let length = 0;
    for (const { write, uri, replaces: from, ...size } of queue.slice(
      0,
      Math.min(this.capacity, this.searching),
    )) {
      bytes += size.bytes;
      cost += WRITE_POINTS[write.action];
      if (cost > points) break;
      if (length > 0 && (bytes > TARGET_BYTES || uris.has(uri))) break;
      if (!contents.admits({ action: write.action, from, to: intentOf(write) })) break;
      uris.add(uri);
      length++;
    }
    return queue.slice(0, length);
  }

  /** Size of a request that holds one write alone. */
  static alone({ bytes }: SizedWrite): number {
    return ENVELOPE_BYTES + bytes;
  }

  /** A request of so many writes was too large; all later ones are smaller. */
  shrink(length: number): void {
    this.capacity = Math.ceil(length / 2);
  }

  /**
   * One of so many writes spoils the request. Halves the requests until that write is alone; the others go
   * through.
   */
  search(length: number): void {
    this.searching = Math.ceil(length / 2);
  }

  found(): void {
    this.searching = this.capacity;
  }
}
