import { Column, type ColumnOptions, type EntitySchemaColumnOptions } from 'typeorm';
import {
  DEFAULT_RECORD_COLUMNS,
  defineRecordColumn,
  type RecordColumnNames,
} from '../metadata/sync-metadata.js';

/**
 * Only the module writes the record columns. `update: false` keeps TypeORM from writing them, so that saving
 * an instance that is older than its record cannot wipe them.
 */
const column = { nullable: true, update: false } as const;
const uri = { ...column, type: 'varchar', length: 1200 } as const;
const cid = { ...column, type: 'varchar', length: 128 } as const;
const rkey = { ...column, type: 'varchar', length: 512 } as const;
const syncedAt = { ...column, type: Date } as const;

const recordColumn =
  (name: keyof RecordColumnNames, options: ColumnOptions): PropertyDecorator =>
  (prototype, property) => {
    Column(options)(prototype, property);
    defineRecordColumn(prototype.constructor, name, String(property));
  };

/** at-uri of the entity's record; null while it has none. */
export const AtpUri = (options: ColumnOptions = {}): PropertyDecorator =>
  recordColumn('uri', { ...uri, ...options });

/** CID of the record's content as of the last sync. */
export const AtpCid = (options: ColumnOptions = {}): PropertyDecorator =>
  recordColumn('cid', { ...cid, ...options });

/** Record key: reserved when the row is inserted, before the first request. */
export const AtpRkey = (options: ColumnOptions = {}): PropertyDecorator =>
  recordColumn('rkey', { ...rkey, ...options });

/** When the module last wrote the record. Optional. */
export const AtpSyncedAt = (options: ColumnOptions = {}): PropertyDecorator =>
  recordColumn('syncedAt', { ...syncedAt, ...options });

/**
 * Since when the account of the record gives nothing of its repository: it is deactivated, suspended or taken
 * down. Null while the record can be seen. Optional; `whereVisible(Post)` leaves out hidden rows.
 */
export const AtpHiddenAt = (options: ColumnOptions = {}): PropertyDecorator =>
  recordColumn('hiddenAt', { ...syncedAt, ...options });

/**
 * The record columns for an `EntitySchema`, to which decorators add none: `columns: { ...atpRecordColumns,
 * ... }`.
 */
export const atpRecordColumns: Record<
  (typeof DEFAULT_RECORD_COLUMNS)[keyof typeof DEFAULT_RECORD_COLUMNS],
  EntitySchemaColumnOptions
> = { atpUri: uri, atpCid: cid, atpRkey: rkey, atpSyncedAt: syncedAt };
