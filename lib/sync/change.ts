import type { RecordState } from '../metadata/record-state.js';
import type { Address } from '../model/address.js';
import type { SyncOperation } from '../model/pending-sync.js';
import type { SyncResult } from '../model/sync-result.js';
import type { SyncedEntity } from '../entities/synced-entity.js';

/**
 * Who asked: the entity's life, or its application by hand. By hand, eligibility is not asked for. 'renew':
 * the record was to be deleted by hand, and then the entity changed; once the record is gone the entity's
 * life says what is due under its next record key.
 */
export type Trigger = 'auto' | SyncOperation | 'renew';

/** An entity was written. Its address is not known yet. */
export interface EntityWrite {
  readonly entity: SyncedEntity;
  readonly entityId: string;
  /** The instance that the caller holds, if there is one: it gets to see uri and cid. */
  readonly instance: object | undefined;
  /**
   * The row as the write left it, beside its record columns; undefined: the event does not tell all of it.
   */
  readonly stored?: object | undefined;
  /** The record columns as the update read them, at a version of `SettledVersions` or later. */
  readonly before?: { readonly row: RecordState; readonly version: number } | undefined;
  /** Just inserted: its record columns are what the module reserved, and nothing can be published yet. */
  readonly inserted: boolean;
  /** The row is gone; what could not be asked afterwards was asked before. */
  readonly removal: Removal | undefined;
  /** The managed call that wrote it; only its caller hears of an auth failure. */
  readonly origin: object | undefined;
  /**
   * A caller asks by hand, which needs no eligibility; `did` names the account, for an entity that has no
   * record yet.
   */
  readonly byHand?: { readonly did: string | undefined };
}

export interface Removal {
  readonly address: Address | null;
  readonly cid: string | null;
  /** Where the record is about to move, and may be by the time the row goes. */
  readonly next?: Address | null;
  /** `shouldAutoUnsync` said no. */
  readonly keepRecord: boolean;
}

/** The touch of a row of which no event tells more: what it is has to be read. */
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
 * "What is at this address may no longer match." Carries no record content: what to do is decided when it is
 * tried.
 */
export interface Change {
  readonly entity: SyncedEntity;
  readonly entityId: string;
  readonly address: Address;
  readonly trigger: Trigger;
  /** What was due when the change was made; for people, and for pending syncs. */
  readonly operation: SyncOperation;
  /** The record's last known CID, for an address that no row remembers any more. */
  readonly cid: string | null;
  readonly keepRecord: boolean;
  /** The entity has left the address: its row is gone, or its record has moved. */
  readonly givenUp: boolean;
  /** Its row is gone, and no other row can hold the address. */
  readonly orphaned?: boolean | undefined;
  /** A record may have to be deleted: a change that may be is kept until it is done. */
  readonly mayDelete: boolean;
  /** The instance that the caller holds. */
  readonly instance: object | undefined;
  /** The complete entity as of this change; other callers may have changed it since. */
  readonly snapshot: object | undefined;
  /** `snapshot` was read from the database. */
  readonly isRow?: boolean;
  readonly origin: object | undefined;
  /** What it came to when it was to be captured: there is nothing to do. */
  readonly settled?: SyncResult | undefined;
}

/** A touched entity whose address could not be told because its own code or its mapper failed. */
export interface Unresolved {
  readonly write: EntityWrite;
  readonly error: Error;
}

/** What touched entities come to. */
export interface Resolved {
  readonly changes: Change[];
  readonly unresolved: Unresolved[];
  /** No account owns them, so there is nothing to sync. */
  readonly unowned: EntityWrite[];
}
