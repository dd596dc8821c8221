import { hash } from 'node:crypto';
import { encode } from '@atproto/lex-cbor';
import { CBOR_DATA_CODEC, createCid, SHA256_HASH_CODE } from '@atproto/lex-data';
import { jsonToLex, type JsonValue } from '@atproto/lex-json';
import { InvalidRecordError } from '../errors/invalid-record.error.js';
import { reasonOf } from '../errors/reason-of.js';
import { KnownCids } from './known-cids.js';
import type { RecordSchema } from './record-mapper.js';
import { ruleOf } from './rule-of.js';

/** Depth of objects within objects. Encoders of records recurse into each, here and at every reader. */
export const MAX_DEPTH = 256;

/** A record in its JSON form, with `$type`, and the CID that the PDS will compute for it. */
export interface PreparedRecord {
  readonly record: Record<string, unknown>;
  readonly cid: string;
}

/**
 * Makes a record, and its CID, of the result of a mapper.
 *
 * - Dates become ISO 8601 strings, undefined properties are left out, bytes, CIDs and blob references get
 *   their JSON form.
 * - Everything else that the AT Protocol's data model lacks is refused with its path, because a PDS silently
 *   stores some of it as nonsense (https://atproto.com/specs/data-model).
 *
 * @throws InvalidRecordError with the path, such as `$.embed.images[0].aspectRatio.width`
 */
export function prepareRecord(
  value: unknown,
  collection: string,
  schema?: RecordSchema,
  known = new KnownCids(),
): PreparedRecord {
  if (!isPlainObject(value)) throw invalid('$', `is ${describe(value)}; a record is a plain object`);
  if (value['$type'] !== undefined && value['$type'] !== collection) {
    throw invalid(
      '$.$type',
      `is '${String(value['$type'])}', but the mapper's collection is '${collection}'`,
    );
  }
  const record = { $type: collection, ...(toJson(value, '$') as object) };
  const json = JSON.stringify(record);
  const before = known.get(json);
  if (before !== undefined) return { record, cid: before };
  const cid = checkedCid(record, collection, schema);
  known.set(json, cid);
  return { record, cid };
}

/**
 * The CID of a record as it is in a repository.
 *
 * @throws InvalidRecordError for what is no record, is nested too deep, or does not fit the schema
 */
export function recordCid(record: unknown, collection: string, schema?: RecordSchema): string {
  if (!isPlainObject(record)) throw invalid('$', `is ${describe(record)}; a record is a plain object`);
  return checkedCid(toJson(record, '$') as object, collection, schema);
}

function checkedCid(record: object, collection: string, schema: RecordSchema | undefined): string {
  const lex = asLex(record);
  const checked = schema?.safeValidate(lex);
  if (checked && !checked.success) throw misfit(collection, checked.reason, record);
  // Like cidForLex, without its asynchronous hash: this runs for every save of a marked entity.
  const digest = hash('sha256', encode(lex), 'buffer');
  return createCid(CBOR_DATA_CODEC, SHA256_HASH_CODE, digest).toString();
}

/** The rule of the lexicon, and its path; without the value, which belongs in no log. */
function misfit(collection: string, reason: Error | undefined, record: object): InvalidRecordError {
  const message = reason?.message ?? 'the schema does not say why';
  const [, path] = / at (\$\S*)$/.exec(message) ?? [];
  const rule = ruleOf(message.replace(/ at \$\S*$/, ''), record);
  return new InvalidRecordError(
    `The record does not fit the lexicon ${collection}: ${rule}${path === undefined ? '' : ` at ${path}`}.`,
    { cause: reason },
    path,
  );
}

const asLex = (record: object): ReturnType<typeof jsonToLex> => {
  try {
    return jsonToLex(record as JsonValue, { strict: true });
  } catch (cause) {
    throw new InvalidRecordError(
      `The record has a value outside the AT Protocol's data model: ${ruleOf(reasonOf(cause), record)}.`,
      { cause },
    );
  }
};

/** @param within the objects around the value, to find one that contains itself */
function toJson(value: unknown, path: string, within: readonly object[] = []): unknown {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw invalid(path, 'has a lone surrogate, which is no valid Unicode');
      return value;
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isSafeInteger(value)) {
        throw invalid(
          path,
          `is ${value}; records hold integers up to 2^53-1 only: round it, or store it as a string`,
        );
      }
      return Object.is(value, -0) ? 0 : value;
    case 'object':
      return value === null ? null : objectToJson(value, path, within);
    default:
      throw invalid(path, `is ${describe(value)}, which no record can hold`);
  }
}

function objectToJson(value: object, path: string, within: readonly object[]): unknown {
  if (within.length >= MAX_DEPTH) {
    const start = path.split(/(?=[.[])/, 8).join('');
    throw new InvalidRecordError(
      `The value at ${start}… is nested more than ${MAX_DEPTH} levels deep, which no record should be.`,
      {},
      start,
    );
  }
  if (within.includes(value)) throw invalid(path, 'is one of the objects that hold it');
  const inside = [...within, value];
  if (Array.isArray(value)) {
    return Array.from(value, (item: unknown, index) => toJson(item, `${path}[${index}]`, inside));
  }
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw invalid(path, 'is an invalid Date');
    return value.toISOString();
  }
  if (value instanceof Uint8Array)
    return { $bytes: Buffer.from(value).toString('base64').replace(/=+$/, '') };
  if (isCid(value)) return { $link: value.toString() };
  if (isBlobRef(value)) return toJson(value.ipld(), path, inside);
  if (!isPlainObject(value)) {
    throw invalid(
      path,
      `is ${describe(value)}; only plain objects, arrays, Dates, bytes, CIDs and blob references can be stored`,
    );
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => {
        if (!key.isWellFormed())
          throw invalid(path, 'has a name with a lone surrogate, which is no valid Unicode');
        return [key, toJson(item, `${path}.${key}`, inside)];
      }),
  );
}

const invalid = (path: string, problem: string): InvalidRecordError =>
  new InvalidRecordError(`The value at ${path} ${problem}.`, {}, path);

const describe = (value: unknown): string => {
  if (value === null) return 'null';
  if (typeof value !== 'object') return value === undefined ? 'undefined' : `a ${typeof value}`;
  return Array.isArray(value) ? 'an array' : `an instance of ${value.constructor?.name ?? 'a class'}`;
};

const isPlainObject = (value: unknown): value is Record<string, unknown> => {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

// Recognised by its shape: several copies of multiformats or of the lexicon package may be installed.
const isCid = (value: object): boolean => 'asCID' in value && 'multihash' in value && 'version' in value;

const isBlobRef = (value: object): value is { ipld(): unknown } =>
  'ipld' in value && typeof value.ipld === 'function';
