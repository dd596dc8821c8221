import { decodeAll } from '@atproto/lex-cbor';
import { fieldsOf, Unreadable, type Fields } from '../feed/fields.js';

/** A frame of an event stream: a header and a body (https://atproto.com/specs/event-stream). */
export type Frame =
  | { readonly error: string; readonly message: string }
  | { readonly error?: undefined; readonly type: string; readonly body: Fields };

/** @throws Unreadable */
export function readFrame(bytes: Uint8Array): Frame {
  const [header, body, more] = valuesOf(bytes);
  if (more !== undefined) throw new Unreadable('it has more than a header and a body');
  const { op, t } = fieldsOf(header, 'its header');
  const fields = fieldsOf(body, 'its body');
  if (op === -1) return { error: String(fields['error']), message: String(fields['message'] ?? '') };
  if (op !== 1) throw new Unreadable(`its operation is ${String(op)}`);
  if (typeof t !== 'string') throw new Unreadable('it has no type');
  return { type: t, body: fields };
}

function valuesOf(bytes: Uint8Array): unknown[] {
  try {
    return [...decodeAll(bytes)];
  } catch {
    throw new Unreadable('it is no CBOR');
  }
}
