import { ParityOptionsError } from '../errors/parity-options.error.js';
import type { SyncResult } from '../model/sync-result.js';

/** What stands behind an entity's `publish()` and its like. */
export interface EntityPublisher {
  toRecord(entity: object): Promise<Record<string, unknown> | null>;
  publish(entity: object): Promise<SyncResult>;
  publishAs(did: string, entity: object): Promise<SyncResult>;
  republish(entity: object): Promise<SyncResult>;
  unpublish(entity: object): Promise<SyncResult>;
}

/**
 * Entities are made by TypeORM, which injects nothing, so their methods find the module through their class.
 * The only state of this package that the process shares: bound while a module runs, unbound when it shuts down.
 * With several applications in one process the one that was started last serves the entity.
 */
const bound = new Map<unknown, EntityPublisher[]>();

/** @returns unbinds again */
export function bindPublisher(entityClass: unknown, publisher: EntityPublisher): () => void {
  bound.set(entityClass, [...(bound.get(entityClass) ?? []), publisher]);
  return () => {
    const rest = (bound.get(entityClass) ?? []).filter((other) => other !== publisher);
    if (rest.length > 0) bound.set(entityClass, rest);
    else bound.delete(entityClass);
  };
}

/** @throws ParityOptionsError when no running module knows the entity's class */
export function publisherOf(entity: object): EntityPublisher {
  for (let type: unknown = entity.constructor; type; type = Object.getPrototypeOf(type)) {
    const publisher = bound.get(type)?.at(-1);
    if (publisher) return publisher;
  }
  throw new ParityOptionsError(
    `${entity.constructor.name} is not known to a running ParityModule. Mark it with @HasAtpRecord(), @PublishesRecords() or ` +
      `@AutoSyncsWithAtp(), register it with its DataSource, and import ParityModule.forRoot().`,
    { entityName: entity.constructor.name },
  );
}
