import type { QueryRunner } from 'typeorm';
import type { ParityError } from '../errors/parity.error.js';
import { RecordConflictError } from '../errors/record-conflict.error.js';
import { RetryLaterError } from '../errors/retry-later.error.js';
import { soon } from '../runtime/backoff.js';
import type { Refusals } from '../sync/foreign-writes.js';
import { ParityOptionsError } from '../errors/parity-options.error.js';
import { type Address, atUri, parseAtUri } from '../model/address.js';
import type { Evidence, EvidenceSource } from '../model/evidence.js';
import type { RepositoryReader } from '../pds/reading/repository.reader.js';
import type { AccountFilter } from './account-filter.js';
import type { Admission } from './admission.js';
import type { AdmissionOutcome, AdmissionResult } from './admission-item.js';

/**
 * Why there is no entity.
 * - `not-followed`: nobody follows the account.
 * - `no-mapper`: no mapper has the collection.
 * - `absent`: there is no record.
 * - `inactive`: the account gives nothing of its repository now.
 * - `unwanted`: the mapper does not want the record.
 * - `rejected`: the record cannot be taken over.
 * - `conflict`: row and record were changed on both sides, and nobody has resolved that yet.
 */
export type FetchReason =
  'not-followed' | 'no-mapper' | 'absent' | 'inactive' | 'unwanted' | 'rejected' | 'conflict';

export type FetchResult =
  | {
      readonly entity: object;
      readonly uri: string;
      readonly cid: string;
      readonly outcome: AdmissionOutcome;
    }
  | { readonly entity: null; readonly uri: string; readonly reason: FetchReason; readonly detail: string };

export interface FetcherConfig {
  readonly reader: RepositoryReader;
  readonly admission: Admission;
  readonly accounts: AccountFilter;
  /** The entity whose record is at an address. */
  readonly entityAt: (address: Address, own?: () => QueryRunner | undefined) => Promise<object | null>;
  readonly hasMapper: (collection: string) => boolean;
}

/** Looks at single records, with their proof. */
export class Fetcher {
  constructor(private readonly config: FetcherConfig) {}

  /**
   * Takes one record over now, whatever is known of its repository.
   *
   * @param uri an at-uri with a DID as authority
   * @throws ParityOptionsError for anything else
   * @throws IdentityError, PdsUnavailableError, RateLimitedError, RepositoryUnreadableError where it cannot be
   *   read
   */
  async fetch(uri: string): Promise<FetchResult> {
    const { accounts, hasMapper, entityAt } = this.config;
    const address = parseAtUri(uri);
    if (!address)
      throw new ParityOptionsError(
        `'${uri}' is no at-uri of a record; it looks like at://did:plc:…/app.bsky.feed.post/….`,
      );
    const none = (reason: FetchReason, detail: string): FetchResult => ({
      entity: null,
      uri,
      reason,
      detail,
    });
    if (!hasMapper(address.collection)) return none('no-mapper', `no mapper has ${address.collection}`);
    if (!(await accounts.followsNamed(address.did)))
      return none('not-followed', `${address.did} is not followed`);
    const evidence = await this.look(address, 'fetch');
    if (typeof evidence === 'string') return none('inactive', `the account is ${evidence}`);
    const [result] = await this.config.admission.admit([evidence]);
    const { outcome, reason = '' } = result as AdmissionResult;
    if (outcome === 'skipped') return none('unwanted', reason);
    if (outcome === 'rejected') return none('rejected', reason);
    if (evidence.cid === null) return none('absent', 'there is no record');
    const entity = await entityAt(address);
    if (entity) return { entity, uri, cid: evidence.cid, outcome };
    return outcome === 'conflicted'
      ? none('conflict', 'it was changed on both sides')
      : none('unwanted', reason);
  }

  /**
   * Looks at records that a write has found changed elsewhere.
   *
   * @param own the connection of the write, which may be the only one
   * @returns by at-uri, why a write cannot go on although its record was looked at
   */
  async readBack(addresses: readonly Address[], own?: () => QueryRunner | undefined): Promise<Refusals> {
    const evidence: Evidence[] = [];
    for (const address of addresses) {
      const found = await this.look(address, 'read-back');
      if (typeof found !== 'string') evidence.push(found);
    }
    const refusals = new Map<string, ParityError>();
    for (const { evidence: one, outcome, reason } of await this.config.admission.admit(
      evidence,
      own ? { own } : {},
    )) {
      const uri = atUri(one);
      const problem = `The record ${uri} was changed by somebody else`;
      if (outcome === 'rejected' || outcome === 'dropped')
        refusals.set(uri, new RecordConflictError(`${problem}, and was not taken over: ${reason}.`));
      else if (outcome === 'unchanged')
        refusals.set(uri, new RetryLaterError(`${problem} meanwhile.`, { retryAt: soon() }));
    }
    return refusals;
  }

  /** @returns the status of an account that is not active */
  private async look(address: Address, source: EvidenceSource): Promise<Evidence | string> {
    const reading = await this.config.reader.record(address);
    if (reading.status !== 'active') return reading.status;
    const { did, collection, rkey } = address;
    const { rev, cid } = reading;
    const about = { did, collection, rkey, rev, source, live: true };
    if (cid === null) return { ...about, cid };
    return 'error' in reading
      ? { ...about, cid, error: reading.error }
      : { ...about, cid, record: reading.record };
  }
}
