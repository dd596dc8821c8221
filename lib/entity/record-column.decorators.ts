import { Column, type ColumnOptions } from 'typeorm';
import { defineRecordColumn, type RecordColumnNames } from '../metadata/sync-metadata.js';

/**
 * The module alone writes the record columns: `update: false` keeps TypeORM's updates off them,
 * so that an instance older than somebody's write-back cannot wipe what was written.
 */
const recordColumn =
  (column: keyof RecordColumnNames, options: ColumnOptions): PropertyDecorator =>
  (prototype, property) => {
    Column({ nullable: true, update: false, ...options })(prototype, property);
    defineRecordColumn(prototype.constructor, column, String(property));
  };

/** at-uri of the entity's record; null while it has none. */
export const AtpUri = (options: ColumnOptions = {}): PropertyDecorator =>
  recordColumn('uri', { type: 'varchar', length: 1200, ...options });

/** CID of the record's content as of the last sync. */
export const AtpCid = (options: ColumnOptions = {}): PropertyDecorator =>
  recordColumn('cid', { type: 'varchar', length: 128, ...options });

/** Record key: reserved when the row is inserted, before the first request. */
export const AtpRkey = (options: ColumnOptions = {}): PropertyDecorator =>
  recordColumn('rkey', { type: 'varchar', length: 512, ...options });

/** When the record was last written. Optional. */
export const AtpSyncedAt = (options: ColumnOptions = {}): PropertyDecorator =>
  recordColumn('syncedAt', { type: Date, ...options });
