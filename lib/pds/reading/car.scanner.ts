import { createHash, hash, type Hash } from 'node:crypto';
import { decode } from '@atproto/lex-cbor';
import { decodeCid, isCid, type Cid } from '@atproto/lex-data';
import { broken } from './broken.js';
import { cborProblem } from './cbor-problem.js';

/** Bytes of a CID as repositories have them: version, codec, SHA-256, its length, and the digest. */
export const CID_BYTES = 36;
const DIGEST_AT = 4;
const CODECS: ReadonlySet<number> = new Set([0x71, 0x55]);
/** The header holds a version and the root. */
const MAX_HEADER_BYTES = 4_096;
/** Of a varint; larger sizes than 2^35 are nonsense. */
const MAX_SIZE_BYTES = 5;

/**
 * Finds the blocks of a CAR in its bytes as they arrive, and compares each with its CID
 * (https://ipld.io/specs/transport/car/carv1/). It keeps no block: its memory does not grow with their size.
 *
 * `readCarStream` of @atproto/repo reads a block of any size into memory, and takes an answer that is cut off
 * for one with a wrong hash.
 */
export class CarScanner {
  /** The commit. */
  root: Cid | undefined;
  private state: 'size' | 'header' | 'cid' | 'body' = 'size';
  private passed = 0;
  private size = 0;
  private sizeBytes = 0;
  private start = 0;
  private left = 0;
  private header: Uint8Array[] = [];
  private readonly cid = Buffer.alloc(CID_BYTES);
  private hasher: Hash | undefined;

  /** @param onBlock is called for each block with its CID's bytes, and where its size begins */
  constructor(
    private readonly did: string,
    private readonly onBlock: (cid: Uint8Array, start: number) => void,
  ) {}

  /** @throws RepositoryUnreadableError */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) at = this[`${this.state}In`](chunk, at);
    this.passed += chunk.length;
  }

  /** @throws RepositoryUnreadableError where the bytes ended too soon */
  end(): void {
    if (this.root === undefined) throw broken(this.did, 'not-a-car', 'its PDS answered with no CAR');
    if (this.state === 'size' && this.sizeBytes === 0) return;
    throw broken(this.did, 'cut-off', 'the answer of its PDS ends in the middle of a block');
  }

  private sizeIn(chunk: Uint8Array, at: number): number {
    if (this.sizeBytes === 0) this.start = this.passed + at;
    const byte = chunk[at] ?? 0;
    this.size += (byte & 0x7f) * 2 ** (7 * this.sizeBytes);
    this.sizeBytes += 1;
    if (byte < 0x80) this.sized();
    else if (this.sizeBytes === MAX_SIZE_BYTES) throw this.noCar('a block has an absurd size');
    return at + 1;
  }

  private sized(): void {
    if (this.root === undefined) {
      if (this.size === 0 || this.size > MAX_HEADER_BYTES) throw this.noCar('there is no header');
      this.state = 'header';
    } else {
      if (this.size < CID_BYTES) throw this.noCar('a block is too small for its CID');
      this.state = 'cid';
    }
    this.left = this.state === 'cid' ? CID_BYTES : this.size;
  }

  private headerIn(chunk: Uint8Array, at: number): number {
    const end = this.take(chunk, at);
    this.header.push(chunk.slice(at, end));
    if (this.left > 0) return end;
    this.root = this.rootOf(Buffer.concat(this.header));
    this.next();
    return end;
  }

  private cidIn(chunk: Uint8Array, at: number): number {
    const filled = CID_BYTES - this.left;
    const end = this.take(chunk, at);
    this.cid.set(chunk.subarray(at, end), filled);
    if (this.left > 0) return end;
    if (
      this.cid[0] !== 1 ||
      !CODECS.has(this.cid[1] ?? 0) ||
      this.cid[2] !== 0x12 ||
      this.cid[3] !== CID_BYTES - DIGEST_AT
    ) {
      throw this.noCar('a block has no CID of SHA-256');
    }
    this.left = this.size - CID_BYTES;
    this.state = 'body';
    // An empty block has no bytes that would come next.
    if (this.left === 0) this.bodyIn(chunk.subarray(0, 0), 0);
    return end;
  }

  private bodyIn(chunk: Uint8Array, at: number): number {
    const isWhole = this.hasher === undefined && chunk.length - at >= this.left;
    const end = this.take(chunk, at);
    const bytes = chunk.subarray(at, end);
    if (isWhole) this.checked(hash('sha256', bytes, 'binary'));
    else {
      this.hasher ??= createHash('sha256');
      this.hasher.update(bytes);
      if (this.left === 0) this.checked(this.hasher.digest('binary'));
    }
    return end;
  }

  /** @param digest as a string: a buffer for each block would be memory outside of the heap */
  private checked(digest: string): void {
    if (digest !== this.cid.toString('latin1', DIGEST_AT)) {
      const cid = decodeCid(this.cid).toString();
      throw broken(this.did, 'wrong-hash', `the bytes of the block ${cid} do not match its CID`);
    }
    this.onBlock(this.cid, this.start);
    this.next();
  }

  private next(): void {
    this.state = 'size';
    this.size = 0;
    this.sizeBytes = 0;
    this.hasher = undefined;
  }

  /** @returns where what is taken from the chunk ends */
  private take(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.left);
    this.left -= end - at;
    return end;
  }

  private rootOf(bytes: Uint8Array): Cid {
    if (cborProblem(bytes, 4) !== null) throw this.noCar('there is no header');
    const { version, roots } = decode(bytes) as { readonly version?: unknown; readonly roots?: unknown };
    const [root, ...others] = Array.isArray(roots) ? (roots as unknown[]) : [];
    if (version !== 1 || !isCid(root) || others.length > 0) throw this.noCar('its header names no commit');
    return root;
  }

  private noCar(detail: string): Error {
    return broken(this.did, 'not-a-car', `its PDS answered with no CAR (${detail})`);
  }
}
