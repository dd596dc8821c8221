import { isDeepStrictEqual } from 'node:util';
import type { RecordJson } from '../model/evidence.js';

export interface Merged {
  readonly record: RecordJson;
  /** Fields that both sides have changed, each in its own way. */
  readonly clashes: readonly string[];
}

/**
 * Merges two edits of a record field by field. A field that one side changed is taken from that side, a
 * missing field being a value like any other.
 *
 * @param base the record before both edits; null: unknown, and every field that differs clashes
 * @param winner the side whose value a clash takes
 */
export function merge(
  local: RecordJson,
  remote: RecordJson,
  base: RecordJson | null,
  winner: 'local' | 'remote',
): Merged {
  const clashes: string[] = [];
  const fields: [string, unknown][] = [];
  for (const field of new Set([...Object.keys(remote), ...Object.keys(local)])) {
    const taken = sideOf(field, local, remote, base);
    if (taken === 'clash') clashes.push(field);
    const side = (taken === 'clash' ? winner : taken) === 'local' ? local : remote;
    if (Object.hasOwn(side, field)) fields.push([field, side[field]]);
  }
  // An assignment would lose a field with the name `__proto__`.
  return { record: Object.fromEntries(fields), clashes };
}

function sideOf(
  field: string,
  local: RecordJson,
  remote: RecordJson,
  base: RecordJson | null,
): 'local' | 'remote' | 'clash' {
  const isSame = (one: RecordJson, other: RecordJson): boolean =>
    Object.hasOwn(one, field) === Object.hasOwn(other, field) && isDeepStrictEqual(one[field], other[field]);
  if (isSame(local, remote)) return 'remote';
  if (!base)
    return Object.hasOwn(local, field) && Object.hasOwn(remote, field) ? 'clash' : present(field, local);
  if (isSame(local, base)) return 'remote';
  return isSame(remote, base) ? 'local' : 'clash';
}

/** Without a base nothing tells whether a field was added on one side or removed on the other, so it is kept. */
const present = (field: string, local: RecordJson): 'local' | 'remote' =>
  Object.hasOwn(local, field) ? 'local' : 'remote';
