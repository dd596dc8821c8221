import { getMetadataArgsStorage, type EntityMetadata } from 'typeorm';
import { ParityOptionsError } from '../errors/parity-options.error.js';
import {
  DEFAULT_RECORD_COLUMNS,
  defineRecordColumn,
  recordColumnNamesOf,
} from '../metadata/sync-metadata.js';
import type { RecordColumns } from './synced-entity.js';

const REQUIRED = ['uri', 'cid', 'rkey'] as const;

/**
 * The record columns of a marked class, however it is declared. In an EntitySchema, which ignores decorators,
 * they have the names that AtpRecordEntity gives them.
 *
 * @throws ParityOptionsError for columns that are missing, or that TypeORM would update
 */
export function recordColumnsOf(metadata: EntityMetadata): RecordColumns {
  const target = metadata.target as object;
  for (const [name, property] of Object.entries(DEFAULT_RECORD_COLUMNS) as [keyof RecordColumns, string][])
    if (recordColumnNamesOf(target)[name] === undefined && metadata.findColumnWithPropertyName(property))
      defineRecordColumn(target, name, property);
  const names = recordColumnNamesOf(target);
  const column = (name: string | undefined) =>
    name === undefined ? undefined : metadata.findColumnWithPropertyName(name);
  const columns = { uri: column(names.uri), cid: column(names.cid), rkey: column(names.rkey) };
  const { uri, cid, rkey } = columns;
  if (!uri || !cid || !rkey)
    throw missing(
      metadata,
      REQUIRED.filter((name) => !columns[name]),
    );
  const syncedAt = column(names.syncedAt);
  const hiddenAt = column(names.hiddenAt);
  const updated = [uri, cid, rkey, syncedAt, hiddenAt].filter((one) => one?.isUpdate);
  if (updated.length > 0) {
    throw new ParityOptionsError(
      `TypeORM would update ${updated.map((one) => `${metadata.name}.${one?.propertyPath}`).join(', ')}: saving an instance that ` +
        `is older than its record would wipe what the module wrote. Give these columns { update: false }` +
        (isSchema(metadata)
          ? ', or take `...atpRecordColumns`.'
          : ', or take @AtpUri() and its like, with no @Column() beside them.'),
      { entityName: metadata.name },
    );
  }
  return { uri, cid, rkey, syncedAt, hiddenAt };
}

/**
 * @throws ParityOptionsError for a schema with record columns and no class: without a class that could be
 *   marked, its rows would never be published
 */
export function refuseClassless(metadata: EntityMetadata): void {
  if (typeof metadata.target === 'function') return;
  if (!REQUIRED.every((name) => metadata.findColumnWithPropertyName(DEFAULT_RECORD_COLUMNS[name]))) return;
  throw new ParityOptionsError(
    `The EntitySchema ${metadata.name} has record columns, but no class. Write one, mark it with @AutoSyncsWithAtp(), ` +
      `name it in the schema ('target: ${metadata.name}'), and in its mapper ('readonly entity = ${metadata.name}').`,
    { entityName: metadata.name },
  );
}

const missing = (metadata: EntityMetadata, names: readonly string[]): ParityOptionsError =>
  new ParityOptionsError(
    `${metadata.name} lacks the record column${names.length > 1 ? 's' : ''} ${names.join(', ')}. ` +
      (isSchema(metadata)
        ? `It is declared by an EntitySchema, which decorators add no columns to: write ` +
          `'columns: { ...atpRecordColumns, ... }' (from nestjs-parity) in it.`
        : `Extend AtpRecordEntity (or withAtpRecord(Base)), or decorate properties with @AtpUri(), @AtpCid() and @AtpRkey().`),
    { entityName: metadata.name },
  );

const isSchema = ({ target }: EntityMetadata): boolean =>
  !getMetadataArgsStorage().tables.some((table) => table.target === target);
