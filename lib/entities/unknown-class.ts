import { EntityMetadata, type DataSource } from 'typeorm';
import type { SyncMetadata } from '../metadata/sync-metadata.js';
import { SyncedEntity, type RecordColumns } from './synced-entity.js';

const SYNC: SyncMetadata = {
  level: 'publishes',
  name: undefined,
  whenNotEligible: 'keep',
  followOwner: false,
  onConflict: undefined,
  whenRecordDeleted: undefined,
  onInvalid: 'reject',
  conflicts: 'remote',
  mergeConflict: 'remote',
  functions: {},
};

/**
 * Stands in for a class that only other processes know. An orphaned record of such a class can be deleted
 * here, which takes the address alone. It has no rows, no columns and no mapper.
 */
export class UnknownClass extends SyncedEntity {
  constructor(
    override readonly name: string,
    dataSource: DataSource,
  ) {
    const metadata = new EntityMetadata({ dataSource, args: { target: name, type: 'regular' } });
    super(dataSource, metadata, SYNC, {} as RecordColumns, undefined, name);
  }

  override load(): Promise<Map<string, object>> {
    return Promise.resolve(new Map());
  }
}
