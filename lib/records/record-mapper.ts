import type { FindOptionsRelations } from 'typeorm';
import { markMapper } from '../metadata/sync-metadata.js';

export type EntityClass<E extends object = object> = abstract new (...args: never[]) => E;

/** A record as a mapper gives it: `$type` is added from the mapper's collection. (Omit would lose all checking of types with an index signature.) */
export type RecordInput<R extends object> = { [K in keyof R as K extends '$type' ? never : K]: R[K] };

/** What a mapper may declare to have its records checked before the network: a schema of `@atproto/lex`, or anything with this method. */
export interface RecordSchema {
  safeValidate(value: unknown): { readonly success: boolean; readonly reason?: Error | undefined };
}

/**
 * Turns one class of entities into the records of one collection. An ordinary provider: inject what you need.
 *
 * @typeParam E the entity class
 * @typeParam R the record type, such as `AppBskyFeedPost.Record`
 */
export abstract class RecordMapper<E extends object = object, R extends object = Record<string, unknown>> {
  abstract readonly entity: EntityClass<E>;
  /** NSID of the collection (https://atproto.com/specs/nsid). */
  abstract readonly collection: string;
  /** What `toRecord` and the entity's three sync functions need loaded, as in TypeORM's `find({ relations })`. */
  readonly relations: FindOptionsRelations<E> = {};
  /** Checks every record before it is sent. */
  readonly schema?: RecordSchema;

  /**
   * The record of an entity: plain JSON data, where a `Date` becomes an ISO 8601 string, and an undefined property is left out.
   * Gets a whole instance with `relations` loaded. It may be called often: depend on nothing but the entity.
   */
  abstract toRecord(entity: E): RecordInput<R> | Promise<RecordInput<R>>;

  /** A fixed record key, such as 'self'. Without it every entity gets a TID of its own. */
  rkey?(entity: E): string;
}

/** Marks a provider as mapper; the module finds it wherever it is provided. */
export const AtpMapper = (): ((target: abstract new (...args: never[]) => RecordMapper) => void) =>
  markMapper;
