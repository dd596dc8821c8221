import { IsNull, Not, type FindOptionsWhere } from 'typeorm';
import { ParityOptionsError } from '../errors/parity-options.error.js';
import { recordColumnNamesOf } from '../metadata/sync-metadata.js';

type EntityClass<E> = abstract new (...args: never[]) => E;

/** `repository.findBy(whereHasRecord(Post))`: the entities that have a published record. */
export const whereHasRecord = <E extends object>(entity: EntityClass<E>): FindOptionsWhere<E> =>
  onUri(entity, Not(IsNull()));

/** The entities that have no published record. */
export const whereHasNoRecord = <E extends object>(entity: EntityClass<E>): FindOptionsWhere<E> =>
  onUri(entity, IsNull());

/** The entity whose record is at `uri` (an at-uri with a DID as authority). */
export const whereRecordUri = <E extends object>(entity: EntityClass<E>, uri: string): FindOptionsWhere<E> =>
  onUri(entity, uri);

/** The entities whose account is active; the class has a property with `@AtpHiddenAt()`. */
export function whereVisible<E extends object>(entity: EntityClass<E>): FindOptionsWhere<E> {
  const { hiddenAt } = recordColumnNamesOf(entity);
  if (hiddenAt === undefined) {
    throw new ParityOptionsError(
      `${entity.name} has no column that tells hidden rows. Decorate a property with @AtpHiddenAt().`,
      { entityName: entity.name },
    );
  }
  return { [hiddenAt]: IsNull() } as FindOptionsWhere<E>;
}

function onUri<E>(entity: EntityClass<E>, condition: unknown): FindOptionsWhere<E> {
  const { uri } = recordColumnNamesOf(entity);
  if (uri === undefined) {
    throw new ParityOptionsError(
      `${entity.name} has no uri column. Extend AtpRecordEntity, or decorate a property with @AtpUri().`,
      { entityName: entity.name },
    );
  }
  return { [uri]: condition } as FindOptionsWhere<E>;
}
