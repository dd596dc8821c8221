import type { EntityMetadata } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { ParityOptionsError } from '../errors/parity-options.error.js';
import { nearestName } from '../model/nearest-name.js';
import type { RecordMapper } from '../records/record-mapper.js';

export interface RelationTree {
  [relation: string]: boolean | RelationTree;
}

/** The relations whose DID is the default answer of `syncAsDid`. */
export const OWNERS = ['user', 'author'];

/** The relations that a mapper declares, and the one that may name the owner. */
export function neededRelations(metadata: EntityMetadata, mapper: RecordMapper | undefined): RelationTree {
  const declared = (mapper?.relations ?? {}) as RelationTree;
  const owners = OWNERS.filter((name) => {
    const related = metadata.findRelationWithPropertyPath(name)?.inverseEntityMetadata;
    return declared[name] === undefined && related !== undefined && hasProperty(related, 'did');
  });
  return hasProperty(metadata, 'did')
    ? declared
    : { ...Object.fromEntries(owners.map((name) => [name, true])), ...declared };
}

/**
 * TypeORM would refuse an unknown relation when it loads the first entity, so every sync would fail.
 *
 * @throws ParityOptionsError that names it, and the nearest relation
 */
export function checkRelations(metadata: EntityMetadata, mapper: RecordMapper): void {
  const check = (owner: EntityMetadata, tree: RelationTree, above: string): void => {
    for (const [name, below] of Object.entries(tree)) {
      const path = above + name;
      const relation = owner.findRelationWithPropertyPath(path);
      if (!relation && !owner.findEmbeddedWithPropertyPath(path)) throw noRelation(owner, path, mapper);
      if (typeof below !== 'object' || below === null) continue;
      if (relation) check(relation.inverseEntityMetadata, below, '');
      else check(owner, below, `${path}.`);
    }
  };
  check(metadata, (mapper.relations ?? {}) as RelationTree, '');
}

function noRelation(
  { name, relations }: EntityMetadata,
  path: string,
  mapper: RecordMapper,
): ParityOptionsError {
  const known = relations.map(({ propertyPath }) => propertyPath);
  const nearest = nearestName(path, known);
  return new ParityOptionsError(
    `relations of ${mapper.constructor.name} names '${path}', which is no relation of ${name}` +
      `${nearest ? `; did you mean '${nearest}'?` : '.'} ` +
      (known.length > 0 ? `${name} has ${known.join(', ')}.` : `${name} has none.`),
    { entityName: name },
  );
}

/**
 * Relations that an instance lacks, as deep as the tree is loaded. Code that reads one of them finds
 * undefined.
 */
export function lackedRelations(
  instance: object,
  metadata: EntityMetadata,
  tree: RelationTree,
  above = { path: '', isBelowList: false },
): LackedRelation[] {
  return metadata.relations.flatMap((relation): LackedRelation[] => {
    if (relation.isLazy) return [];
    const { propertyPath, inverseEntityMetadata: related } = relation;
    const path = above.path + propertyPath;
    const isList = relation.isOneToMany || relation.isManyToMany;
    const isBelowList = above.isBelowList || isList;
    const value: unknown = relation.getEntityValue(instance);
    if (value === undefined) return [{ path, related, isList, isBelowList }];
    const below = tree[propertyPath];
    const first: unknown = Array.isArray(value) ? value[0] : value;
    if (!below || typeof first !== 'object' || first === null) return [];
    return lackedRelations(first, related, below === true ? {} : below, { path: `${path}.`, isBelowList });
  });
}

export interface LackedRelation {
  readonly path: string;
  readonly related: EntityMetadata;
  readonly isList: boolean;
  /** Whether the relation, or one above it, is a list. */
  readonly isBelowList: boolean;
}

/**
 * The relations that code may have read when it failed. Only an error of reading from undefined counts: V8
 * names the property that was to be read, or the expression that was undefined.
 */
export function missedBy(cause: unknown, lacked: readonly LackedRelation[]): readonly LackedRelation[] {
  // An account is never found by way of a list.
  if (cause === undefined) return lacked.filter(({ isBelowList }) => !isBelowList);
  if ((cause as Error | null)?.name !== 'TypeError') return [];
  const { message } = cause as Error;
  const [, property] = /(?:reading|property) '(.+?)'/.exec(message) ?? [];
  const words = new Set(message.split(/\W+/));
  const has = ({ related, isList }: LackedRelation, name: string): boolean =>
    isList
      ? name in Array.prototype
      : hasProperty(related, name) || related.findRelationWithPropertyPath(name) !== undefined;
  const likely = lacked.filter(
    (one) => words.has(one.path.split('.').at(-1) ?? '') || (property !== undefined && has(one, property)),
  );
  return likely.length > 0 || property !== undefined ? likely : lacked;
}

/** The tree, and the relations that TypeORM loads unasked. */
export function withEager(metadata: EntityMetadata, tree: RelationTree): RelationTree {
  const eager = metadata.eagerRelations.map(({ propertyPath }) => [propertyPath, true] as const);
  const all = { ...Object.fromEntries(eager), ...tree };
  const below = branches(metadata, all).map(
    ([name, related, rest]) => [name, withEager(related, rest)] as const,
  );
  return { ...all, ...Object.fromEntries(below) };
}

/** Whether loading the entity, or a related one, computes something. */
export const isComputed = (metadata: EntityMetadata, tree: RelationTree): boolean =>
  metadata.afterLoadListeners.length > 0 ||
  metadata.columns.some(({ isVirtualProperty }) => isVirtualProperty) ||
  branches(metadata, tree).some(([, related, below]) => isComputed(related, below));

function branches(metadata: EntityMetadata, tree: RelationTree): [string, EntityMetadata, RelationTree][] {
  return Object.entries(tree).flatMap(([name, below]) => {
    const related = below && metadata.findRelationWithPropertyPath(name)?.inverseEntityMetadata;
    return related ? [[name, related, below === true ? {} : below] as const] : [];
  });
}

/** The related instances of a relation that is loaded, as a list. */
export function relatedIn(instance: object, relation: EntityMetadata['relations'][number]): object[] {
  const value: unknown = relation.getEntityValue(instance);
  return [value].flat().filter((one) => typeof one === 'object' && one !== null);
}

/**
 * Whether an instance has its class, every mapped column and every relation of the tree, so that nothing has
 * to be loaded.
 */
export function isComplete(instance: object, metadata: EntityMetadata, relations: RelationTree): boolean {
  return (
    typeof metadata.target === 'function' &&
    instance instanceof metadata.target &&
    !onlyRowTells(metadata) &&
    neededColumns(metadata).every((column) => column.getEntityValue(instance) !== undefined) &&
    hasRelations(instance, metadata, relations)
  );
}

/**
 * Whether the class has properties that only the stored row tells: keys of related rows, beside which a
 * caller may have set the relation, and columns that the database computes.
 */
export const onlyRowTells = ({ columns, relationIds }: EntityMetadata): boolean =>
  relationIds.length > 0 ||
  columns.some(
    ({ isVirtual, relationMetadata, asExpression }) =>
      asExpression !== undefined || (!isVirtual && relationMetadata !== undefined),
  );

const columns = new WeakMap<EntityMetadata, ColumnMetadata[]>();

/** The columns that an instance must have itself. */
export function neededColumns(metadata: EntityMetadata): ColumnMetadata[] {
  let needed = columns.get(metadata);
  if (!needed) {
    needed = metadata.columns.filter(
      ({ isVirtual, relationMetadata, isDeleteDate }) =>
        // TypeORM leaves the date of a deletion undefined after an insert.
        !isVirtual && !relationMetadata && !isDeleteDate,
    );
    columns.set(metadata, needed);
  }
  return needed;
}

function hasRelations(instance: object, metadata: EntityMetadata, relations: RelationTree): boolean {
  return Object.entries(relations).every(([name, below]) => {
    const relation = metadata.findRelationWithPropertyPath(name);
    if (!relation || below === false) return true;
    // A caller's promise may give anything, or rows that are old by now.
    if (relation.isLazy) return false;
    const value: unknown = relation.getEntityValue(instance);
    if (value === undefined) return false;
    return (Array.isArray(value) ? value : [value]).every((item: unknown) => {
      if (typeof item !== 'object' || item === null) return item === null;
      return isComplete(item, relation.inverseEntityMetadata, below === true ? {} : below);
    });
  });
}

const hasProperty = (metadata: EntityMetadata, name: string): boolean =>
  metadata.findColumnWithPropertyName(name) !== undefined ||
  (typeof metadata.target === 'function' && name in (metadata.target.prototype as object));
