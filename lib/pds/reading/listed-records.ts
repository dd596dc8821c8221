import { hash } from 'node:crypto';
import { encode } from '@atproto/lex-cbor';
import { CBOR_DATA_CODEC, createCid, SHA256_HASH_CODE } from '@atproto/lex-data';
import { jsonToLex, type JsonValue } from '@atproto/lex-json';
import { PdsUnavailableError } from '../../errors/pds-unavailable.error.js';
import { reasonOf } from '../../errors/reason-of.js';
import { parseAtUri, type Address } from '../../model/address.js';
import type { RecordJson } from '../../model/evidence.js';
import { MAX_DEPTH } from '../../records/record-json.js';
import { broken } from './broken.js';
import type { RepositoryRecord } from './reading.js';
import { unreadable, type Content } from './record-bytes.js';
import type { QueryAnswer, QueryParameters } from './pds.queries.js';

/** The largest page of the reference PDS. */
const PAGE = 100;

export interface Listing {
  readonly did: string;
  readonly collections: readonly string[];
  /** Bytes of pages after which the listing is given up: cursors may never end. */
  readonly maxBytes: number;
  query(method: string, parameters: QueryParameters): Promise<QueryAnswer>;
}

/** Records as `listRecords` gives them, page by page: in the order of the server, and without proof. */
export async function* listedRecords(listing: Listing): AsyncGenerator<RepositoryRecord, void, undefined> {
  const { did, collections, maxBytes, query } = listing;
  let bytes = 0;
  for (const collection of collections.toSorted(byBytes)) {
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const { answer, bytes: more }: QueryAnswer = await query('com.atproto.repo.listRecords', {
        repo: did,
        collection,
        limit: PAGE,
        // By ascending keys.
        reverse: true,
        ...(cursor && { cursor }),
      });
      bytes += more;
      if (bytes > maxBytes) throw broken(did, 'too-large', `it has more than ${maxBytes} bytes`);
      const { records, cursor: next } = answer;
      if (!Array.isArray(records)) throw notAPage(did);
      for (const listed of records as unknown[]) yield listedRecord(did, collection, listed);
      // Some servers give a cursor with their last page, and some the same one for ever.
      cursor = records.length > 0 && typeof next === 'string' && next !== cursor ? next : undefined;
    }
  }
}

/** In the order of the tree, where '/' comes after the name of a collection. */
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(`${a}/`), Buffer.from(`${b}/`));

const notAPage = (did: string): Error =>
  new PdsUnavailableError(`The PDS of ${did} gives no records for listRecords.`, { did });

function listedRecord(did: string, collection: string, listed: unknown): RepositoryRecord {
  const { uri, cid, value } = (listed ?? {}) as Readonly<Record<string, unknown>>;
  const address = parseAtUri(uri);
  if (address?.did !== did || address.collection !== collection || typeof cid !== 'string')
    throw notAPage(did);
  return { collection, rkey: address.rkey, cid, ...listedContent(address, cid, value) };
}

function listedContent(address: Address, cid: string, value: unknown): Content {
  if (isTooDeep(value))
    return unreadable(address, 'depth', `it is nested more than ${MAX_DEPTH} levels deep`);
  try {
    const digest = hash('sha256', encode(jsonToLex(value as JsonValue)), 'buffer');
    const computed = createCid(CBOR_DATA_CODEC, SHA256_HASH_CODE, digest).toString();
    if (computed === cid) return { record: value as RecordJson };
    return unreadable(address, 'cid', `its content has the CID ${computed}, not ${cid}`);
  } catch (cause) {
    return unreadable(address, 'content', reasonOf(cause), cause);
  }
}

/** Asked level by level: what recurses into a record that deep overflows the stack. */
function isTooDeep(value: unknown): boolean {
  let level = [value].filter(isContainer);
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth++) {
    level = level.flatMap((one) => Object.values(one)).filter(isContainer);
  }
  return level.length > 0;
}

const isContainer = (value: unknown): value is object => typeof value === 'object' && value !== null;
