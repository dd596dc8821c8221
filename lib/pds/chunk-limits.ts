import { stringifyLex } from '@atproto/api';
import { atUri } from '../model/address.js';
import type { RecordWrite } from './write-request.js';

export interface SizedWrite {
  readonly write: RecordWrite;
  readonly uri: string;
  /** Of its JSON in the request. */
  readonly bytes: number;
}

/** Everything of a request but its writes: DID, head, braces. */
const ENVELOPE_BYTES = 512;

/** @throws TypeError for a record that has no JSON (a bigint, a circle) */
export function sized(write: RecordWrite): SizedWrite {
  return { write, uri: atUri(write.address), bytes: Buffer.byteLength(stringifyLex(operationOf(write))) + 1 };
}

/** How full a request is made; only a write that is alone goes up to the limit. */
const FILL = 0.9;

/** The write as `com.atproto.repo.applyWrites` takes it. */
export function operationOf(write: RecordWrite) {
  const { collection, rkey } = write.address;
  if (write.action === 'delete') {
    return { $type: 'com.atproto.repo.applyWrites#delete' as const, collection, rkey };
  }
  const $type = `com.atproto.repo.applyWrites#${write.action}` as const;
  return { $type, collection, rkey, value: write.record };
}

/** How much goes into one request; changes with what the PDS says to it. One per call of the writer. */
export class ChunkLimits {
  /** What the PDS takes at once. */
  private capacity: number;
  /** Below the capacity while a write that spoils its request is looked for. */
  private searching: number;
  private readonly targetBytes: number;

  constructor(maxWrites: number, maxRequestBytes: number) {
    this.targetBytes = maxRequestBytes * FILL;
    this.capacity = maxWrites;
    this.searching = maxWrites;
  }

  /** The first writes of the queue that make one request, at most one for each address: their order counts. */
  take(queue: readonly SizedWrite[]): readonly SizedWrite[] {
    const uris = new Set<string>();
    let bytes = ENVELOPE_BYTES;
    let length = 0;
    for (const write of queue.slice(0, Math.min(this.capacity, this.searching))) {
      bytes += write.bytes;
      if (length > 0 && (bytes > this.targetBytes || uris.has(write.uri))) break;
      uris.add(write.uri);
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

  /** One of so many writes spoils the request: halves until it is alone, while the good ones go through. */
  search(length: number): void {
    this.searching = Math.ceil(length / 2);
  }

  found(): void {
    this.searching = this.capacity;
  }
}
