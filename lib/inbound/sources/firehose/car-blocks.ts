import { hash } from 'node:crypto';
import { decode, type LexValue } from '@atproto/lex-cbor';
import { CBOR_DATA_CODEC, SHA256_HASH_CODE, type Cid } from '@atproto/lex-data';
import { Unreadable } from '../feed/fields.js';

/** A CIDv1 with a SHA-256: version, codec, hash, length, digest. All CIDs of repositories are such. */
const CID_LENGTH = 36;

/**
 * The blocks of a CAR that is in memory whole, as the event of a commit has it.
 *
 * `readCar` of `@atproto/repo` hashes every block and awaits each: a commit carries the nodes of the tree
 * beside its records, and one bad block makes it refuse the whole. Here a block is hashed when it is asked
 * for.
 */
export class CarBlocks {
  private readonly blocks = new Map<string, Uint8Array>();

  /** @throws Unreadable for what is no CAR, or one that is cut off */
  constructor(car: Uint8Array) {
    const bytes = Buffer.from(car.buffer, car.byteOffset, car.byteLength);
    let at = skipHeader(bytes);
    while (at < bytes.length) {
      const { value: length, end } = varint(bytes, at);
      if (length < CID_LENGTH || end + length > bytes.length) throw new Unreadable('the blocks are cut off');
      const content = end + CID_LENGTH;
      this.blocks.set(bytes.toString('latin1', end, content), bytes.subarray(content, end + length));
      at = end + length;
    }
  }

  /** @throws Unreadable for a block that is missing, or is not what its CID says */
  read(cid: Cid): LexValue {
    const bytes = this.blocks.get(Buffer.from(cid.bytes).toString('latin1'));
    if (bytes === undefined) throw new Unreadable('its block is missing');
    if (cid.code !== CBOR_DATA_CODEC || cid.multihash.code !== SHA256_HASH_CODE)
      throw new Unreadable('its CID is no SHA-256 of a record');
    if (hash('sha256', bytes, 'buffer').compare(cid.multihash.digest) !== 0)
      throw new Unreadable('its bytes do not match its CID');
    try {
      return decode(bytes);
    } catch {
      throw new Unreadable('its bytes are no record');
    }
  }
}

function skipHeader(bytes: Buffer): number {
  const { value: length, end } = varint(bytes, 0);
  if (length === 0 || end + length > bytes.length) throw new Unreadable('the blocks are no CAR');
  return end + length;
}

function varint(bytes: Buffer, start: number): { value: number; end: number } {
  let value = 0;
  // A block is shorter than a message: five times seven bits are more than enough.
  for (let at = start; at < Math.min(start + 5, bytes.length); at++) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * 2 ** (7 * (at - start));
    if (byte < 0x80) return { value, end: at + 1 };
  }
  throw new Unreadable('the blocks are cut off');
}
