import { XRPCError } from '@atproto/api';
import { InvalidRecordError } from '../errors/invalid-record.error.js';
import { atUri } from '../model/address.js';
import { ruleOf } from '../records/rule-of.js';
import { said } from './pds-answers.js';
import type { RecordWrite } from './write-request.js';

/**
 * The path by which the PDS names the fault. A value that it quotes comes before its path, so the last path
 * is never quoted text.
 */
const WRITE_PATH = /\$\.writes\[(\d+)\](?:\.(?:record|value))?([^\s,)]*)(?!.*\$\.writes\[)/s;

/** Whether the request, and not a record of it, is too large. */
export const isTooLarge = (error: unknown): boolean =>
  error instanceof XRPCError &&
  (error.status === 413 || (error.status === 400 && error.message.startsWith('Too many writes')));

/** The writes that a refusal names; an empty list if it names none. */
export function namedWrites(error: unknown, writes: readonly RecordWrite[]): readonly RecordWrite[] {
  if (!(error instanceof XRPCError)) return [];
  const [, index] = WRITE_PATH.exec(error.message) ?? [];
  if (index !== undefined) return writes.slice(Number(index), Number(index) + 1);
  const [, collection] = /^Unknown lexicon type: (\S+)$/.exec(error.message) ?? [];
  return writes.filter(({ action, address }) => action !== 'delete' && address.collection === collection);
}

/**
 * Tells the author of a refused write the PDS's reason and the path, without what the PDS quotes of the
 * record.
 */
export function invalidRecord(
  error: XRPCError,
  context: { did: string; uri?: string },
  record?: Record<string, unknown>,
): InvalidRecordError {
  const [, , path] = WRITE_PATH.exec(error.message) ?? [];
  const reason = ruleOf(error.message.replaceAll(/ at \$\.writes\S*/g, ''), record);
  const code = error.error === 'InvalidRequest' ? '' : `${said(error)}: `;
  return new InvalidRecordError(
    `The PDS refuses the record${context.uri ? ` ${context.uri}` : ` of ${context.did}`}: ` +
      `${code}${reason}${path === undefined ? '' : ` at $${path}`}. ` +
      'Correct what the mapper gives for it.',
    { ...context, cause: error },
    path === undefined ? undefined : `$${path}`,
  );
}

/**
 * @param bytes size of the request that holds only this write
 * @param refusal the PDS's answer, or the limit where the request was not sent
 */
export const tooLarge = (
  { address }: RecordWrite,
  bytes: number,
  refusal: XRPCError | number,
): InvalidRecordError => {
  const uri = atUri(address);
  const isSent = refusal instanceof XRPCError;
  const why = isSent
    ? `the PDS refuses it (${said(refusal)})`
    : `the limit is ${refusal.toLocaleString('en')}`;
  return new InvalidRecordError(
    `The record ${uri} is too large: its request has ${bytes.toLocaleString('en')} bytes, ${why}. ` +
      'Shorten it, or upload what is large as a blob.',
    { did: address.did, uri, cause: isSent ? refusal : undefined },
  );
};
