import type { RecordState } from '../metadata/record-state.js';
import type { Address } from '../model/address.js';
import type { RecordJson } from '../model/evidence.js';
import type { SyncOperation } from '../model/pending-sync.js';
import type { SyncResult } from '../model/sync-result.js';
import type { SyncedEntity } from '../entities/synced-entity.js';

/**
 * Why a change is synced: the life of its entity, or a request of the application by hand, which needs no
 * eligibility. 'renew': the application asked by hand to delete the record, and then the entity changed. Once
 * the record is gone, the entity's life decides what is due under its next record key.
 */
export type Trigger = 'auto' | SyncOperation | 'renew';

/** An entity was written. Its address is not known yet. */
export interface EntityWrite {
  readonly entity: SyncedEntity;
  readonly entityId: string;
  /** The instance that the caller holds, if there is one. It gets uri and cid. */
  readonly instance: object | undefined;
  /**
   * The row as the write left it, without its record columns; undefined where the event does not contain all
   * of it.
   */
  readonly stored?: object | undefined;
  /** The record columns as the update read them, at this version of `SettledVersions` or a later one. */
  readonly before?: { readonly row: RecordState; readonly version: number } | undefined;
  /**
   * Inserted by this write: its record columns have the values that the module reserved, and it cannot be
   * published yet.
   */
  readonly inserted: boolean;
  /** Set for a deleted row: the answers that were taken before the delete. */
  readonly removal: Removal | undefined;
  /** The managed call that wrote it. Only the caller of that gets an auth failure. */
  readonly origin: object | undefined;
  /**
   * The application asks by hand, which needs no eligibility. `did` names the account for an entity that has
   * no record yet.
   */
  readonly byHand?: { readonly did: string | undefined };
}

export interface Removal {
  readonly address: Address | null;
  readonly cid: string | null;
  /** The address to which the record is moving, and where it may be by the time the row is deleted. */
  readonly next?: Address | null;
  /** `shouldAutoUnsync` returned false. */
  readonly keepRecord: boolean;
}

/** An entity write without an event that tells more, so the row has to be read. */
export const entityWriteOf = (
  entity: SyncedEntity,
  entityId: string,
  more: Partial<Pick<EntityWrite, 'instance' | 'removal' | 'origin' | 'byHand'>> = {},
): EntityWrite => ({
  entity,
  entityId,
  instance: undefined,
  inserted: false,
  removal: undefined,
  origin: undefined,
  ...more,
});

/**
 * The record at this address may no longer match its entity. A change carries no record content: what to do
 * is decided when it is attempted.
 */
export interface Change {
  readonly entity: SyncedEntity;
  readonly entityId: string;
  readonly address: Address;
  readonly trigger: Trigger;
  /**
   * What was due when the change was made. Shown to operators and stored with pending syncs; it decides
   * nothing.
   */
  readonly operation: SyncOperation;
  /** The last known CID of the record, for an address that no row remembers any more. */
  readonly cid: string | null;
  readonly keepRecord: boolean;
  /** The entity has left the address: its row is gone, or its record has moved. */
  readonly givenUp: boolean;
  /** Its row is gone, and no other row can hold the address. */
  readonly orphaned?: boolean | undefined;
  /** Whether a record may have to be deleted. Such a change is kept until it is done. */
  readonly mayDelete: boolean;
  /** The instance that the caller holds. */
  readonly instance: object | undefined;
  /** The complete entity as of this change. Other callers may have changed it since. */
  readonly snapshot: object | undefined;
  /** Whether `snapshot` was read from the database. */
  readonly isRow?: boolean;
  readonly origin: object | undefined;
  /** What the ledger knows of the record beside its CID, for a class that follows its records. */
  readonly remembered?: RememberedRecord | undefined;
  /** The result, where the capture has found that there is nothing to do. */
  readonly settled?: SyncResult | undefined;
}

/** What is remembered of a record that other applications may change. */
export interface RememberedRecord {
  /** The fields of other applications, which every update keeps. */
  readonly foreign: RecordJson | null;
  /** The CID that the mapper gives for the row as it followed the record, where that is another. */
  readonly mapped: string | null;
}

/** An entity whose address could not be determined, because its own code or its mapper failed. */
export interface Unresolved {
  readonly write: EntityWrite;
  readonly error: Error;
}

/** What entity writes are resolved into. */
export interface Resolved {
  readonly changes: Change[];
  readonly unresolved: Unresolved[];
  /** Writes of entities without an account, for which there is nothing to sync. */
  readonly unowned: EntityWrite[];
}

/** What a change says of an address that its entity has left. */
export const GIVEN_UP = { operation: 'unpublish', givenUp: true, mayDelete: true } as const;
