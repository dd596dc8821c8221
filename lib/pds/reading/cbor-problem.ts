import { isUtf8 } from 'node:buffer';

export interface CborProblem {
  readonly reason: 'depth' | 'content';
  readonly detail: string;
}

const content = (detail: string): CborProblem => ({ reason: 'content', detail });

/**
 * What keeps bytes from being read as CBOR of the AT Protocol's data model; null for nothing that shows
 * without decoding them.
 *
 * The decoder recurses into each level, so a record of 10,000 levels overflows its stack; and it takes some
 * of what the data model lacks: strings that are no UTF-8 (it changes them), numbers with a fraction, and a
 * property `__proto__` (it changes the object).
 *
 * @param maxDepth of arrays and maps within each other
 */
export function cborProblem(bytes: Uint8Array, maxDepth: number): CborProblem | null {
  // Per open array or map: the items that it still lacks, and whether it is a map. The first is around the record.
  const open: { left: number; readonly isMap: boolean }[] = [{ left: 1, isMap: false }];
  let at = 0;
  for (let inside = open.at(-1); inside !== undefined; inside = open.at(-1)) {
    const first = bytes[at] ?? 0;
    const major = first >> 5;
    const head = argument(bytes, at);
    if (head === null) return content('it ends too soon, or has a length that cannot be read');
    at = head.next;
    const isKey = inside.isMap && inside.left % 2 === 0;
    inside.left -= 1;
    if (isKey && major !== 3) return content('it has a property whose name is no string');
    if (major === 2 || major === 3) {
      const end = at + head.value;
      if (end > bytes.length) return content('it ends too soon');
      if (major === 3) {
        const text = bytes.subarray(at, end);
        if (!isUtf8(text)) return content('it has a string that is no UTF-8');
        if (isKey && isProto(text)) return content("it has a property with the name '__proto__'");
      }
      at = end;
    } else if (major === 4 || major === 5) {
      if (open.length > maxDepth) {
        return { reason: 'depth', detail: `it is nested more than ${maxDepth} levels deep` };
      }
      // Each item has a byte at least, so a length beyond the bytes is refused before anything is made of it.
      if (head.value > bytes.length - at) return content('it ends too soon');
      open.push({ left: major === 5 ? head.value * 2 : head.value, isMap: major === 5 });
    } else if (major === 6) {
      // The value of the tag comes next, in its place.
      inside.left += 1;
      if (head.value !== 42 || (bytes[at] ?? 0) >> 5 !== 2 || isKey)
        return content('it has a tag that is no CID');
    } else if (major === 7 && (head.value < 20 || head.value > 22 || first > 0xf7)) {
      return content('it has a number with a fraction, or a value that is none');
    }
    while (open.at(-1)?.left === 0) open.pop();
  }
  return at === bytes.length ? null : content('it has bytes after its end');
}

/** The argument of a head (RFC 8949, section 3), and where it ends; null where there is none. */
function argument(bytes: Uint8Array, at: number): { readonly value: number; readonly next: number } | null {
  const first = bytes[at];
  if (first === undefined) return null;
  const info = first & 0x1f;
  if (info < 24) return { value: info, next: at + 1 };
  if (info > 27) return null;
  const next = at + 1 + 2 ** (info - 24);
  if (next > bytes.length) return null;
  let value = 0;
  for (let index = at + 1; index < next; index++) value = value * 256 + (bytes[index] ?? 0);
  return { value, next };
}

const PROTO = Buffer.from('__proto__');
const isProto = (text: Uint8Array): boolean => text.length === PROTO.length && PROTO.equals(text);
