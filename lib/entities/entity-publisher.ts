import { ParityOptionsError } from '../errors/parity-options.error.js';
import type { SyncResult } from '../model/sync-result.js';

/** The module behind `publish()` and the other methods of an entity. */
export interface EntityPublisher {
  toRecord(entity: object): Promise<Record<string, unknown> | null>;
  publish(entity: object): Promise<SyncResult>;
  publishAs(did: string, entity: object): Promise<SyncResult>;
  republish(entity: object): Promise<SyncResult>;
  unpublish(entity: object): Promise<SyncResult>;
}

/**
 * TypeORM makes entities and injects nothing into them, so their methods find the module through their class.
 *
 * - This is the only state of the package that the process shares. It is bound while a module runs, and
 *   unbound when the module shuts down.
 * - With several applications in one process, the one that was started last serves the entity.
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
