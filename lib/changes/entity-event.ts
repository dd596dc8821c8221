import type { EntityManager, EntityMetadata, ObjectLiteral, QueryRunner } from 'typeorm';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { MapperError } from '../errors/mapper.error.js';

/** What TypeORM's entity events have in common. */
export interface EntityEvent {
  readonly metadata: EntityMetadata;
  readonly manager: EntityManager;
  readonly queryRunner: QueryRunner;
  readonly entity?: ObjectLiteral | undefined;
  readonly databaseEntity?: ObjectLiteral | undefined;
  readonly entityId?: unknown;
}

/** Whether the event is about one row. Events of query builders are not. */
export const names = ({ entity, databaseEntity, entityId }: EntityEvent): boolean =>
  entity !== undefined || databaseEntity !== undefined || (entityId !== undefined && entityId !== null);

/**
 * While TypeORM saves a node of a tree, it writes the paths of this and other nodes by query builder. Paths
 * are no columns of the application, so no record contains them.
 */
export const isOfTree = ({ entity, metadata }: EntityEvent): boolean => {
  const path = metadata.materializedPathColumn?.propertyPath;
  const written = Object.keys(entity ?? {});
  return path !== undefined && written.length > 0 && written.every((name) => name === path);
};

/** A removed entity has lost its id, and its loaded row may be incomplete. So all three sources are asked. */
export const idOf = (
  entity: SyncedEntity,
  { entity: instance, databaseEntity, entityId }: EntityEvent,
): string | null =>
  (instance && entity.idOf(instance)) ??
  (databaseEntity && entity.idOf(databaseEntity)) ??
  entity.idOf(asKey(entityId, entity));

/** The id of an event is a map, or the bare value of a single key, which may itself be an object. */
const asKey = (id: unknown, entity: SyncedEntity): object => {
  const [column, ...others] = entity.metadata.primaryColumns;
  const isMap =
    typeof id === 'object' &&
    id !== null &&
    (others.length > 0 || Object.getPrototypeOf(id) === Object.prototype);
  if (isMap) return id;
  return column && id !== undefined ? column.createValueMap(id) : {};
};

/** The record key for an insert; null: the mapper makes it of the row, or fails. */
export function reservedKey(
  entity: SyncedEntity,
  { entity: given, manager, metadata }: EntityEvent,
): string | null {
  if (!given || entity.hasFixedRkey) return null;
  const { target } = metadata;
  const isInstance = typeof target === 'function' && given instanceof target;
  try {
    const row = metadata.create(undefined, { fromDeserializer: true }) as object;
    return entity.newRkey(isInstance ? given : manager.merge(target as Function, row, given));
  } catch (error) {
    // The row is saved without a key. The sync that follows meets the same error, and reports it.
    if (error instanceof MapperError) return null;
    throw error;
  }
}
