import { generateKeyPairSync, hash, sign, type KeyObject } from 'node:crypto';
import { encode } from '@atproto/lex-cbor';
import { CBOR_DATA_CODEC, createCid, SHA256_HASH_CODE, type Cid, type LexValue } from '@atproto/lex-data';

/** The group order of P-256. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** A key that signs commits. */
export class SigningKey {
  private readonly privateKey: KeyObject;
  /** Behind `did:key:`. */
  readonly multibase: string;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.privateKey = privateKey;
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    const isOdd = Buffer.from(y, 'base64url').at(-1)! % 2;
    this.multibase = `z${base58([0x80, 0x24, 2 + isOdd, ...Buffer.from(x, 'base64url')])}`;
  }

  sign(bytes: Uint8Array): Uint8Array {
    const signature = sign('sha256', bytes, { key: this.privateKey, dsaEncoding: 'ieee-p1363' });
    const s = BigInt(`0x${signature.subarray(32).toString('hex')}`);
    const low = s > ORDER / 2n ? ORDER - s : s;
    return Buffer.concat([signature.subarray(0, 32), Buffer.from(low.toString(16).padStart(64, '0'), 'hex')]);
  }
}

function base58(bytes: readonly number[]): string {
  let digits = '';
  for (let rest = BigInt(`0x${Buffer.from(bytes).toString('hex')}`); rest > 0n; rest /= 58n) {
    digits = BASE58[Number(rest % 58n)] + digits;
  }
  return digits;
}

export interface Block {
  readonly cid: Cid;
  readonly bytes: Uint8Array;
}

export const blockOf = (bytes: Uint8Array): Block => ({
  cid: createCid(CBOR_DATA_CODEC, SHA256_HASH_CODE, hash('sha256', bytes, 'buffer')),
  bytes,
});

/** The records of an account, with the tree and the commit over them, all of which a test may spoil. */
export class HandMadeRepository {
  readonly blocks: Block[] = [];
  commit: Cid;

  /** @param records key of the tree to bytes */
  constructor(
    did: string,
    key: SigningKey,
    records: ReadonlyMap<string, Uint8Array>,
    { rev = '3kzzzzzzzzz22', data }: { readonly rev?: string; readonly data?: Cid } = {},
  ) {
    const entries = [...records]
      .map(([path, bytes]) => ({ path, value: this.add(bytes), layer: layerOf(path) }))
      .toSorted((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
    const top = entries.reduce((most, { layer }) => Math.max(most, layer), 0);
    const root = data ?? this.node(entries, top) ?? this.add(encode({ l: null, e: [] }));
    const unsigned = { did, version: 3, data: root, rev, prev: null };
    this.commit = this.add(encode({ ...unsigned, sig: key.sign(encode(unsigned as LexValue)) } as LexValue));
  }

  car(blocks: readonly Block[] = this.blocks): Buffer {
    const header = encode({ version: 1, roots: [this.commit] });
    return Buffer.concat([
      varint(header.length),
      header,
      ...blocks.flatMap(({ cid, bytes }) => [varint(cid.bytes.length + bytes.length), cid.bytes, bytes]),
    ]);
  }

  add(bytes: Uint8Array): Cid {
    const block = blockOf(bytes);
    this.blocks.push(block);
    return block.cid;
  }

  private node(entries: readonly Entry[], layer: number): Cid | null {
    if (entries.length === 0) return null;
    const here = entries.flatMap((entry, index) => (entry.layer === layer ? [index] : []));
    const between = (from: number, to?: number): Cid | null => this.node(entries.slice(from, to), layer - 1);
    let last = '';
    return this.add(
      encode({
        l: between(0, here[0]),
        e: here.map((index, place) => {
          const { path, value } = entries[index]!;
          const p = shared(last, path);
          last = path;
          return { p, k: Buffer.from(path.slice(p)), v: value, t: between(index + 1, here[place + 1]) };
        }),
      } as LexValue),
    );
  }
}

interface Entry {
  readonly path: string;
  readonly value: Cid;
  readonly layer: number;
}

/** Keys of tests are ASCII. */
function shared(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}

function layerOf(path: string): number {
  let layer = 0;
  for (const byte of hash('sha256', path, 'buffer')) {
    const zeros = Math.floor((Math.clz32(byte) - 24) / 2);
    layer += zeros;
    if (zeros < 4) break;
  }
  return layer;
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest < 128 ? rest : (rest % 128) | 0x80);
    if (rest < 128) return Buffer.from(bytes);
  }
}
