import type { EntityManager, EntityMetadata, FindManyOptions, ObjectLiteral, QueryRunner } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { dataSourceOf } from '../database/data-source-of.js';
import { withConnection } from '../database/connection-share.js';
import { relatedIn } from './relation-tree.js';

type Relation = EntityMetadata['relations'][number];

/**
 * Rows of a class as they are on this connection, whatever options its DataSource has for reads: no cached
 * answer, every mapped column (`select: false` too), and related rows in the same statement.
 */
export async function readRows(
  metadata: EntityMetadata,
  manager: EntityManager,
  options: FindManyOptions<ObjectLiteral>,
): Promise<object[]> {
  const builder = manager
    .createQueryBuilder<ObjectLiteral>(metadata.target, metadata.name)
    .setFindOptions({ ...options, cache: false, relationLoadStrategy: 'join' });
  const joins = builder.expressionMap.joinAttributes.filter(({ isSelected }) => isSelected);
  const aliases = [builder.expressionMap.mainAlias, ...joins.map(({ alias }) => alias)];
  for (const alias of aliases)
    if (alias?.hasMetadata)
      builder.addSelect(
        hiddenColumns(alias.metadata).map((column) => `${alias.name}.${column.propertyPath}`),
      );
  // A LEFT JOIN keeps a row whose related row is missing, where no foreign key holds it.
  for (const join of joins) join.direction = 'LEFT';
  const rows: object[] = await builder.getMany();
  const seen = new Set<object>();
  for (const row of rows) finish(row, metadata, manager.queryRunner!, seen);
  return rows;
}

/**
 * Hides `select: false` columns of an instance from JSON and logs. Listeners get the module's rows, and
 * callers get their instances with what the module wrote.
 */
export function hide(instance: object, columns: readonly ColumnMetadata[]): void {
  for (const { isSelect, propertyName, embeddedMetadata } of columns) {
    if (isSelect) continue;
    const path = embeddedMetadata?.parentPropertyNames ?? [];
    const owner = path.reduce<unknown>((part, name) => (part as ObjectLiteral | null)?.[name], instance);
    if (typeof owner === 'object' && owner !== null && propertyName in owner)
      Object.defineProperty(owner, propertyName, { enumerable: false });
  }
}

function finish(row: object, metadata: EntityMetadata, runner: QueryRunner, seen: Set<object>): void {
  if (seen.has(row)) return;
  seen.add(row);
  hide(row, hiddenColumns(metadata));
  for (const relation of metadata.lazyRelations) loadFromPrimary(row, relation, runner);
  for (const relation of metadata.relations)
    for (const related of relatedIn(row, relation))
      finish(related, relation.inverseEntityMetadata, runner, seen);
}

/**
 * Replaces the getter of a lazy relation, for the functions of the application. TypeORM would ask a replica,
 * or a cache; this one asks the row's own connection or, once that is released, one to the primary.
 * test/entities/typeorm-internals tells the properties that it relies on.
 */
function loadFromPrimary(row: object, relation: Relation, runner: QueryRunner): void {
  const { propertyName, inverseEntityMetadata } = relation;
  const dataSource = dataSourceOf(runner);
  const original = Object.getOwnPropertyDescriptor(row, propertyName);
  if (!original?.get || !original.set) return;
  const load = async (own: QueryRunner): Promise<unknown> => {
    const builder = dataSource
      .createQueryBuilder(own)
      .select(propertyName)
      .addSelect(
        hiddenColumns(inverseEntityMetadata).map((column) => `${propertyName}.${column.propertyPath}`),
      )
      .from(inverseEntityMetadata.target, propertyName)
      .cache(false);
    const related = (await dataSource.relationLoader.load(relation, row, own, builder)) as object[];
    const seen = new Set([row]);
    for (const one of related) finish(one, inverseEntityMetadata, own, seen);
    return relation.isOneToOne || relation.isManyToOne ? (related[0] ?? null) : related;
  };
  const known = [`__has_${propertyName}__`, `__${propertyName}__`, `__promise_${propertyName}__`];
  let loading: Promise<unknown> | undefined;
  const loaded = async (): Promise<unknown> => {
    try {
      const related = await withConnection(dataSource, runner, load);
      // Given the promise, TypeORM's setter would leave a rejection of it unhandled.
      original.set?.call(row, related);
      return related;
    } finally {
      loading = undefined;
    }
  };
  Object.defineProperty(row, propertyName, {
    ...original,
    get(this: ObjectLiteral): unknown {
      if (known.some((name) => this[name] !== undefined)) return original.get?.call(this) as unknown;
      return (loading ??= loaded());
    },
  });
}

const hidden = new WeakMap<EntityMetadata, ColumnMetadata[]>();

function hiddenColumns(metadata: EntityMetadata): ColumnMetadata[] {
  let columns = hidden.get(metadata);
  if (!columns) {
    columns = metadata.columns.filter(({ isSelect, isVirtual }) => !isSelect && !isVirtual);
    hidden.set(metadata, columns);
  }
  return columns;
}
