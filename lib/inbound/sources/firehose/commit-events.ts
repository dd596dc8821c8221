import { isCid, type Cid } from '@atproto/lex-data';
import { lexToJson } from '@atproto/lex-json';
import type { LexValue } from '@atproto/lex-cbor';
import type { RecordJson } from '../../../model/evidence.js';
import { fieldsOf, textOf, Unreadable, type Fields } from '../feed/fields.js';
import type { Wanted } from '../feed/wanted.js';
import type { SourceEvent } from '../record-source.js';
import type { AccountChains } from './account-chains.js';
import { CarBlocks } from './car-blocks.js';

/**
 * What a `#commit` says. A part that cannot be read is skipped; then, and where commits of the account are
 * missing before, the account's `sync` follows, so that it is imported again.
 *
 * @param skip is told each part that is skipped, with the reason
 */
export function commitEvents(
  body: Fields,
  wanted: Wanted,
  chains: AccountChains,
  skip: (reason: string) => void,
): SourceEvent[] {
  const did = textOf(body, 'repo');
  if (!wanted.account(did)) return [];
  const rev = textOf(body, 'rev');
  const sync: SourceEvent = { kind: 'sync', did, rev };
  if (body['tooBig'] === true || body['rebase'] === true) {
    chains.restart(did, { rev, data: null });
    return [sync];
  }

  let complete = true;
  const attempt = <T>(what: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      complete = false;
      skip(`${what} of ${did} at ${rev}: ${error.message}`);
      return undefined;
    }
  };

  const blocks = attempt('the commit', () => new CarBlocks(bytesOf(body)));
  const data = blocks && attempt('the commit', () => rootOf(body, blocks));
  const events: SourceEvent[] = [];
  for (const op of (blocks && attempt('the commit', () => opsOf(body))) ?? []) {
    const path = String(op['path']);
    const event = attempt(`'${path}'`, () => opEvent(op, { did, rev, blocks: blocks!, wanted }));
    if (event) events.push(event);
  }
  const isMissing = chains.follow(did, {
    rev,
    since: sinceOf(body),
    prevData: isCid(body['prevData']) ? body['prevData'].toString() : undefined,
    data: data ?? null,
  });
  return complete && !isMissing ? events : [...events, sync];
}

const sinceOf = ({ since }: Fields): string | null | undefined =>
  since === null || typeof since === 'string' ? since : undefined;

function bytesOf({ blocks }: Fields): Uint8Array {
  if (blocks instanceof Uint8Array) return blocks;
  throw new Unreadable('it has no blocks');
}

/** The tree's root that the signed commit names. It has to be the commit that the event is about. */
function rootOf(body: Fields, blocks: CarBlocks): string {
  const commit = fieldsOf(blocks.read(cidOf(body, 'commit')), 'its block');
  if (commit['did'] !== body['repo'] || commit['rev'] !== body['rev'])
    throw new Unreadable('its block is of another commit');
  return cidOf(commit, 'data').toString();
}

function opsOf({ ops }: Fields): Fields[] {
  if (!Array.isArray(ops)) throw new Unreadable('it has no operations');
  return ops.map((op) => fieldsOf(op, 'an operation'));
}

interface OpContext {
  readonly did: string;
  readonly rev: string;
  readonly blocks: CarBlocks;
  readonly wanted: Wanted;
}

function opEvent(op: Fields, { did, rev, blocks, wanted }: OpContext): SourceEvent | null {
  const [collection = '', rkey = '', more] = textOf(op, 'path').split('/');
  if (!wanted.collection(collection)) return null;
  if (rkey === '' || more !== undefined) throw new Unreadable('its path is no collection and record key');
  const address = { kind: 'record', did, collection, rkey, rev, live: true } as const;
  const action = textOf(op, 'action');
  if (action === 'delete') return { ...address, cid: null };
  if (action !== 'create' && action !== 'update')
    throw new Unreadable(`its operation '${action}' is unknown`);
  const cid = cidOf(op, 'cid');
  return { ...address, cid: cid.toString(), record: asJson(blocks.read(cid)) };
}

function cidOf(fields: Fields, name: string): Cid {
  const cid = fields[name];
  if (isCid(cid)) return cid;
  throw new Unreadable(`'${name}' is no CID`);
}

function asJson(value: LexValue): RecordJson {
  try {
    return fieldsOf(lexToJson(value), 'its block');
  } catch (error) {
    if (error instanceof Unreadable) throw error;
    throw new Unreadable('its bytes have no JSON form');
  }
}
