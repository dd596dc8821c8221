import { decodeCid, type Cid } from '@atproto/lex-data';
import { broken } from './broken.js';
import { BlockIndex } from './block-index.js';
import { CarScanner, CID_BYTES } from './car.scanner.js';
import { Spool } from './spool.js';

/** So that the index stays below 200 MB. A repository of 1 GB has some 4 million. */
const MAX_BLOCKS = 12_000_000;
/** Of the size of a block, as a varint. */
const MAX_SIZE_BYTES = 5;
const MAX_HEAD = MAX_SIZE_BYTES + CID_BYTES;

/** The blocks of a CAR, each of which matches its CID. */
export class RepositoryBlocks implements AsyncDisposable {
  private readonly index = new BlockIndex();
  private readonly scanner: CarScanner;
  private readonly spool: Spool;

  constructor(
    readonly did: string,
    directory?: string,
  ) {
    this.spool = new Spool(directory);
    this.scanner = new CarScanner(did, (cid, start) => this.index.add(cid, start));
  }

  /** Bytes so far. */
  get size(): number {
    return this.spool.size;
  }

  /** @throws RepositoryUnreadableError as soon as something is wrong */
  async add(chunk: Uint8Array): Promise<void> {
    this.scanner.push(chunk);
    if (this.index.size > MAX_BLOCKS)
      throw broken(this.did, 'too-large', `it has more than ${MAX_BLOCKS} blocks`);
    await this.spool.append(chunk);
  }

  /** @throws RepositoryUnreadableError where the bytes end too soon */
  end(): Cid {
    this.scanner.end();
    return this.scanner.root as Cid;
  }

  /**
   * The bytes of a block; null where there are more than `limit`.
   *
   * @throws RepositoryUnreadableError where there is no such block
   */
  get(cid: Cid, limit: number): Uint8Array | null {
    const offset = this.index.find(cid.bytes);
    if (offset === undefined) throw this.missing(cid);
    const head = this.spool.read(offset, MAX_HEAD);
    let size = 0;
    let at = 0;
    for (let byte = 0x80; byte >= 0x80; at++) {
      byte = head[at] ?? 0;
      size += (byte & 0x7f) * 2 ** (7 * at);
    }
    if (Buffer.compare(head.subarray(at, at + CID_BYTES), cid.bytes) !== 0) throw this.missing(cid);
    const length = size - CID_BYTES;
    return length > limit ? null : this.spool.read(offset + at + CID_BYTES, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.spool[Symbol.asyncDispose]();
  }

  private missing(cid: Cid): Error {
    return broken(
      this.did,
      'missing-block',
      `its PDS did not send the block ${decodeCid(cid.bytes).toString()}`,
    );
  }
}
