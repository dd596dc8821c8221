import type { DeepPartial, EntityManager, FindOptionsRelations } from 'typeorm';
import { markMapper } from '../metadata/sync-metadata.js';

export type EntityClass<E extends object = object> = abstract new (...args: never[]) => E;

declare const NAMES: unique symbol;

/**
 * The properties that a type names, without its index signature, which would let every misspelled one pass.
 */
type Named<R> = {
  [K in keyof R as string extends K ? never : number extends K ? never : symbol extends K ? never : K]: R[K];
};

/**
 * A record as a mapper gives it, without `$type`, which is added from the mapper's collection. As the
 * declared result of `toRecord` it gives completion, and an error for a property that the record type does
 * not name. A record type that names none, such as `Record<string, unknown>`, takes any.
 */
export type RecordInput<R extends object> = R extends unknown
  ? [NamesOf<R>] extends [never]
    ? { [K in keyof R as K extends '$type' ? never : K]: R[K] }
    : { [K in keyof Named<R> as K extends '$type' ? never : K]: R[K] }
  : never;

/** The same type without its name: an interface is no record of unknown fields, its properties are. */
type Plain<R extends object> = { [K in keyof R]: R[K] };

/** The names in each member of a union. */
type NamesOf<R> = R extends unknown ? Exclude<keyof Named<R>, '$type'> : never;

/** The collection that a record type names with its `$type`; any string, if it names none. */
export type CollectionOf<R extends object> =
  Named<R> extends { readonly $type?: infer T }
    ? [T & string] extends [never]
      ? string
      : T & string
    : string;

/**
 * A schema that checks records before they are sent: one of `@atproto/lex`, or any object with this method.
 */
export interface RecordSchema {
  safeValidate(value: unknown): { readonly success: boolean; readonly reason?: Error | undefined };
}

/** What a mapper knows of a record that it is to turn into an entity. */
export interface InboundContext<E extends object = object> {
  /** The account in whose repository the record is. */
  readonly did: string;
  readonly uri: string;
  readonly cid: string;
  /** The revision of the repository as of which the record is known: a TID. */
  readonly rev: string;
  /** The entity of this record, with `relations` loaded; undefined for a new record. */
  readonly existing: E | undefined;
  /** In the transaction that writes the entity. Read and write through it: a pool may have no other connection. */
  readonly manager: EntityManager;
  /** The record was written just now; false for one that an import has found. */
  readonly live: boolean;
}

/** What `afterApply` is told beside the entity. */
export interface AppliedContext<R extends object = Record<string, unknown>> {
  readonly record: R;
  /** The entity is new. */
  readonly created: boolean;
  /** In the transaction that wrote the entity. */
  readonly manager: EntityManager;
  readonly live: boolean;
}

/**
 * Turns one class of entities into the records of one collection. An ordinary provider: inject what you need.
 *
 * @typeParam E the entity class
 * @typeParam R the record type, such as `AppBskyFeedPost.Record`
 */
export abstract class RecordMapper<E extends object = object, R extends object = Record<string, unknown>> {
  /** Only for the compiler: {@link AtpMapper} compares the result of `toRecord` with it. */
  declare readonly [NAMES]?: [NamesOf<R>] extends [never] ? PropertyKey : NamesOf<R> | '$type';

  abstract readonly entity: EntityClass<E>;
  /** NSID of the collection (https://atproto.com/specs/nsid). */
  abstract readonly collection: CollectionOf<R>;
  /**
   * The relations that `toRecord` and the entity's three sync functions need, as in TypeORM's `find({
   * relations })`.
   */
  readonly relations: FindOptionsRelations<E> = {};
  /** Checks every record before it is sent. */
  readonly schema?: RecordSchema;

  /**
   * The record of an entity: plain JSON data, where a `Date` becomes an ISO 8601 string, and an undefined
   * property is left out. It gets a complete instance with `relations` loaded. It may be called often, so its
   * result must depend on the entity alone.
   */
  abstract toRecord(entity: E): RecordInput<R> | Promise<RecordInput<R>>;

  /** A fixed record key, such as 'self'. Without it every entity gets a TID of its own. */
  rkey?(entity: E): string;

  /**
   * The top-level fields of the record that this mapper owns. Fields of other applications are kept by every
   * update. Default: the fields that `toRecord` gives.
   */
  readonly owns?: readonly string[];

  /**
   * The values of the entity that a record describes, as a partial entity without its record columns. A mapper
   * that has this method makes its class follow its records: edits, deletions and new records that other
   * applications make reach the rows. With `@HasAtpRecord()` the rows follow the records only; with
   * `@AutoSyncsWithAtp()` both follow each other.
   *
   * It may be called more than once for one record, so everything that it writes has to go through
   * `context.manager`.
   *
   * @returns null for a record that is not for this application. It is asked again when the record changes
   */
  fromRecord?(
    record: Plain<R>,
    context: InboundContext<E>,
  ): DeepPartial<E> | null | Promise<DeepPartial<E> | null>;

  /** Runs after the entity of a record was written, in the same transaction. */
  afterApply?(entity: E, context: AppliedContext<Plain<R>>): void | Promise<void>;
}

/**
 * The properties that `toRecord`, whose result is inferred, gives and the record type does not name; most
 * likely misspelled.
 */
type Unnamed<M> = M extends { readonly [NAMES]?: infer N; toRecord(entity: never): infer Result }
  ? Exclude<KeyOfEach<Awaited<Result>>, N>
  : never;

type KeyOfEach<T> = T extends unknown ? keyof Named<T> : never;

type Checked<M> = [Unnamed<M>] extends [never]
  ? unknown
  : { readonly 'toRecord() gives what the record type does not name': Unnamed<M> };

/**
 * Marks a provider as mapper; the module finds it wherever it is provided. A property that `toRecord` gives
 * and the record type does not name does not compile. Add an intended one to the record type:
 * `RecordMapper<Post, AppBskyFeedPost.Record & { 'com.example.mood': string }>`.
 */
export const AtpMapper = (): (<T extends abstract new (...args: never[]) => RecordMapper<object, object>>(
  target: T & Checked<InstanceType<T>>,
) => void) => markMapper;
