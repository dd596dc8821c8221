import { validateCidString } from '@atproto/lex-data';
import type { SyncHooks } from '../metadata/sync-metadata.js';
import { parseAtUri } from '../model/address.js';
import type { SyncResult } from '../model/sync-result.js';
import { publisherOf } from './entity-publisher.js';
import { AtpCid, AtpRkey, AtpSyncedAt, AtpUri } from './record-column.decorators.js';
import { recordStateOf } from '../metadata/record-state.js';

/**
 * The record columns and the methods that {@link AtpRecordEntity} and {@link withAtpRecord} give to an
 * entity.
 */
export interface AtpRecordMembers extends SyncHooks {
  /** Only the module writes these columns; a value that is assigned here is never stored. */
  atpUri: string | null;
  atpCid: string | null;
  atpRkey: string | null;
  atpSyncedAt: Date | null;

  /** Whether the entity has a published record, as far as this instance knows. */
  hasAtpRecord(): boolean;
  /** at-uri of the record; null if there is none or the column holds no at-uri. The getters never throw. */
  getAtpUri(): string | null;
  getAtpCid(): string | null;
  /** DID of the account whose repository holds the record. */
  getAtpDid(): string | null;
  getAtpCollection(): string | null;
  getAtpRkey(): string | null;
  getAtpSyncedAt(): Date | null;
  /** What the mapper makes of this entity; null without a mapper. */
  toAtpRecord(): Promise<Record<string, unknown> | null>;
  /**
   * Publishes (or republishes) now.
   *
   * @throws AuthenticationError and its subclasses; other failures are in the result
   */
  publish(): Promise<SyncResult>;
  /** Publishes in the repository of `did`; the record stays there. */
  publishAs(did: string): Promise<SyncResult>;
  /** Updates a published record; 'failed' if there is none. */
  republish(): Promise<SyncResult>;
  /** Deletes the record; 'unchanged' if there is none. */
  unpublish(): Promise<SyncResult>;
}

// TypeScript demands any[] of a mixin's constructor (TS2545).
// oxlint-disable-next-line typescript/no-explicit-any
type Constructor<T> = abstract new (...args: any[]) => T;

/**
 * Gives the record columns and methods to an entity that has a base class: `class Post extends
 * withAtpRecord(Base)`.
 */
export function withAtpRecord<B extends Constructor<object>>(Base: B): B & Constructor<AtpRecordMembers> {
  abstract class AtpRecord extends Base implements AtpRecordMembers {
    @AtpUri() atpUri!: string | null;
    @AtpCid() atpCid!: string | null;
    @AtpRkey() atpRkey!: string | null;
    @AtpSyncedAt() atpSyncedAt!: Date | null;

    hasAtpRecord(): boolean {
      return recordStateOf(this).uri !== null;
    }
    getAtpUri(): string | null {
      return parseAtUri(recordStateOf(this).uri) ? recordStateOf(this).uri : null;
    }
    getAtpCid(): string | null {
      const { cid } = recordStateOf(this);
      return cid !== null && validateCidString(cid) ? cid : null;
    }
    getAtpDid(): string | null {
      return parseAtUri(recordStateOf(this).uri)?.did ?? null;
    }
    getAtpCollection(): string | null {
      return parseAtUri(recordStateOf(this).uri)?.collection ?? null;
    }
    getAtpRkey(): string | null {
      return parseAtUri(recordStateOf(this).uri)?.rkey ?? null;
    }
    getAtpSyncedAt(): Date | null {
      const value = recordStateOf(this).syncedAt;
      return value instanceof Date && !Number.isNaN(value.getTime()) ? value : null;
    }
    async toAtpRecord(): Promise<Record<string, unknown> | null> {
      return publisherOf(this).toRecord(this);
    }
    async publish(): Promise<SyncResult> {
      return publisherOf(this).publish(this);
    }
    async publishAs(did: string): Promise<SyncResult> {
      return publisherOf(this).publishAs(did, this);
    }
    async republish(): Promise<SyncResult> {
      return publisherOf(this).republish(this);
    }
    async unpublish(): Promise<SyncResult> {
      return publisherOf(this).unpublish(this);
    }
  }
  return AtpRecord;
}

/**
 * Base class for entities with a record; an entity that has another base class takes {@link withAtpRecord}.
 */
export abstract class AtpRecordEntity extends withAtpRecord(class {}) {}
