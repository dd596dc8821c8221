import 'reflect-metadata';

/** What can be done with a class; each level includes the one before it. */
export type SyncLevel = 'has-record' | 'publishes' | 'auto';

type MaybePromise<T> = T | Promise<T>;

/**
 * The three functions that decide about an entity's record. As methods on the class they win over the
 * decorator's options.
 */
export interface SyncFunctions<E> {
  /**
   * The DID of the account that owns the record; undefined or null where there is no account, and nothing is
   * synced.
   */
  syncAsDid?(entity: E): MaybePromise<string | null | undefined>;
  /** Whether the entity should have a record now. Default: true. */
  shouldAutoSync?(entity: E): MaybePromise<boolean>;
  /** Whether removing (`soft`: soft-removing) the entity deletes its record. Default: true. */
  shouldAutoUnsync?(entity: E, removal: { soft: boolean }): MaybePromise<boolean>;
}

/**
 * The same functions as methods of the entity, all of them optional. `AtpRecordEntity` and `withAtpRecord()`
 * declare them; an entity with columns of its own says `class Note implements SyncHooks`. A method is found
 * by its name alone, so write `override`, or `implements`, and the compiler checks the spelling.
 */
export interface SyncHooks {
  /**
   * The DID of the account that owns the record; undefined or null where there is no account, and nothing is
   * synced.
   */
  syncAsDid?(): MaybePromise<string | null | undefined>;
  /** Whether the entity should have a record now. Default: true. */
  shouldAutoSync?(): MaybePromise<boolean>;
  /** Whether removing (`soft`: soft-removing) the entity deletes its record. Default: true. */
  shouldAutoUnsync?(removal: { soft: boolean }): MaybePromise<boolean>;
}

export interface AutoSyncBehaviour {
  /** What happens to a published record when `shouldAutoSync` turns false. */
  readonly whenNotEligible: 'keep' | 'unpublish';
  /** Whether the record moves when `syncAsDid` gives another DID than the one it is published under. */
  readonly followOwner: boolean;
  /**
   * What happens to a record of ours that another application changed or deleted; 'overwrite' logs a warning.
   * undefined, the default: 'overwrite'; but a record that was never ours (at a fixed record key) is
   * overwritten only where 'overwrite' is given.
   */
  readonly onConflict: 'overwrite' | 'fail' | undefined;
}

/** What a conflict ends with, or a way to find that out. */
export type ConflictChoice = 'remote' | 'local' | 'newest' | 'merge' | 'manual';

type RecordFields = Readonly<Record<string, unknown>>;

/**
 * Decides a conflict by the records of both sides (null: deleted) and the one that both agreed on last (null:
 * unknown).
 *
 * @returns a strategy, or the fields of a record that both sides get
 */
export type ConflictFunction = (
  local: RecordFields | null,
  remote: RecordFields | null,
  base: RecordFields | null,
) => MaybePromise<ConflictChoice | RecordFields>;

/** How a class follows its records; see `RecordMapper.fromRecord`. */
export interface InboundBehaviour {
  /**
   * What becomes of a row whose record was deleted elsewhere. 'keep' clears its record columns. Default:
   * 'softRemove' where the class has a delete-date column, or else 'remove'.
   */
  readonly whenRecordDeleted: 'remove' | 'softRemove' | 'keep' | undefined;
  /** What becomes of a record that does not fit the mapper's `schema`. */
  readonly onInvalid: 'reject' | 'accept';
}

/** For classes that publish their entities and follow their records. */
export interface ConflictBehaviour {
  /** What happens when row and record were changed on both sides. */
  readonly conflicts: ConflictChoice | ConflictFunction;
  /** With 'merge': which side wins where both changed one field. */
  readonly mergeConflict: 'local' | 'remote' | 'manual';
}

export interface SyncMetadata extends AutoSyncBehaviour, InboundBehaviour, ConflictBehaviour {
  /** The name under which the entity's changes are kept; undefined: that of its table. */
  readonly name: string | undefined;
  readonly level: SyncLevel;
  readonly functions: SyncFunctions<object>;
}

/** Property names of the record columns. */
export interface RecordColumnNames {
  readonly uri?: string;
  readonly cid?: string;
  readonly rkey?: string;
  readonly syncedAt?: string;
  readonly hiddenAt?: string;
}

/** The property names of classes that choose no others. */
export const DEFAULT_RECORD_COLUMNS = {
  uri: 'atpUri',
  cid: 'atpCid',
  rkey: 'atpRkey',
  syncedAt: 'atpSyncedAt',
} as const satisfies RecordColumnNames;

const SYNC = Symbol('parity:sync');
const COLUMNS = Symbol('parity:columns');
const MAPPER = Symbol('parity:mapper');

/** Reads walk the prototype chain of the class, so a subclass inherits the mark of its base. */
export const defineSyncMetadata = (target: object, metadata: SyncMetadata): void =>
  Reflect.defineMetadata(SYNC, metadata, target);

export const syncMetadataOf = (target: unknown): SyncMetadata | undefined =>
  typeof target === 'function' ? (Reflect.getMetadata(SYNC, target) as SyncMetadata | undefined) : undefined;

/** The name that the class itself was given. A subclass that inherited it would be taken for its base. */
export const ownSyncNameOf = (target: object): string | undefined =>
  (Reflect.getOwnMetadata(SYNC, target) as SyncMetadata | undefined)?.name;

export const defineRecordColumn = (target: object, column: keyof RecordColumnNames, property: string): void =>
  Reflect.defineMetadata(COLUMNS, { ...recordColumnNamesOf(target), [column]: property }, target);

export const recordColumnNamesOf = (target: object): RecordColumnNames =>
  (Reflect.getMetadata(COLUMNS, target) as RecordColumnNames | undefined) ?? {};

export const markMapper = (target: object): void => Reflect.defineMetadata(MAPPER, true, target);

export const isMarkedMapper = (target: unknown): boolean =>
  typeof target === 'function' && Reflect.hasOwnMetadata(MAPPER, target);
