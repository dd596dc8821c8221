import type { XRPCError } from '@atproto/api';
import { InvalidRecordError } from '../errors/invalid-record.error.js';
import { atUri } from '../model/address.js';
import { ChunkLimits, MAX_REQUEST_BYTES, sized, type SizedWrite } from './chunk-limits.js';
import { invalidRecord, isTooLarge, namedWrites, tooLarge } from './pds-refusal.js';
import { said } from './pds-answers.js';
import type { RecordWrite, Replaced } from './write-request.js';

/**
 * The writes of one call that are refused for good. Finds out which these are, so that the others go through.
 */
export class RefusedWrites {
  readonly byUri = new Map<string, InvalidRecordError>();

  constructor(
    private readonly did: string,
    private readonly limits: ChunkLimits,
  ) {}

  /**
   * The writes that can be sent, with what they replace as far as `cidAt` knows. A write that has no JSON, or
   * fits into no request, is refused.
   */
  sift(writes: readonly RecordWrite[], cidAt: (uri: string) => Replaced): SizedWrite[] {
    return writes.flatMap((write) => {
      const measured = this.measure(write, cidAt);
      return measured ? [measured] : [];
    });
  }

  rest(queue: readonly SizedWrite[]): SizedWrite[] {
    return queue.filter(({ uri }) => !this.byUri.has(uri));
  }

  /**
   * Refuses the writes that the PDS names, or the only one of the request. If the PDS names none, the limits
   * close in on the culprit.
   */
  single(chunk: readonly SizedWrite[], error: XRPCError): void {
    const [first, second] = chunk;
    if (!first) return;
    if (isTooLarge(error)) {
      if (second) this.limits.shrink(chunk.length);
      else this.refuse(first.uri, tooLarge(first.write, ChunkLimits.alone(first), error));
      return;
    }
    const writes = chunk.map(({ write }) => write);
    const culprits = second ? namedWrites(error, writes) : writes;
    if (culprits.length === 0) return this.limits.search(chunk.length);
    for (const write of culprits) {
      const uri = atUri(write.address);
      const record = write.action === 'delete' ? undefined : write.record;
      this.refuse(uri, invalidRecord(error, { did: this.did, uri }, record));
    }
  }

  /** The PDS takes other commits, but never this write alone, and does not say why. */
  poisonous({ uri }: SizedWrite, answer: XRPCError, cause: unknown): void {
    const message =
      `The PDS fails (${said(answer)}) whenever ${uri} is written, though it takes other commits. ` +
      'Look for a value that it cannot store, or ask its host whether the record is taken down.';
    this.refuse(uri, new InvalidRecordError(message, { did: this.did, uri, cause }));
  }

  private refuse(uri: string, error: InvalidRecordError): void {
    this.byUri.set(uri, error);
    this.limits.found();
  }

  private measure(write: RecordWrite, cidAt: (uri: string) => Replaced): SizedWrite | null {
    const uri = atUri(write.address);
    try {
      const measured = sized(write, cidAt(uri));
      if (ChunkLimits.alone(measured) <= MAX_REQUEST_BYTES) return measured;
      // Not sent: a PDS that stops reading in the middle of a request may break the connection instead of
      // answering.
      this.byUri.set(uri, tooLarge(write, ChunkLimits.alone(measured), MAX_REQUEST_BYTES));
    } catch (cause) {
      const message = `The record ${uri} has no JSON form: it holds a BigInt, or refers to itself.`;
      this.byUri.set(uri, new InvalidRecordError(message, { did: this.did, uri, cause }));
    }
    return null;
  }
}
