import type { RecordState } from '../../lib/metadata/record-state.js';
import { parseAtUri, type Address } from '../../lib/model/address.js';
import type { RepositoryView } from '../../lib/pds/repository-writer.js';
import type { SyncedEntity } from '../../lib/entities/synced-entity.js';
import type { Change } from '../../lib/sync/change.js';
import { targetOf, type Target } from '../../lib/sync/target.js';
import { AtpRecordEntity, AutoSyncsWithAtp } from 'nestjs-parity';

export const ADDRESS: Address = {
  did: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz',
  collection: 'com.example.note',
  rkey: '3jui7kd54zh2y',
};
export const URI = `at://${ADDRESS.did}/${ADDRESS.collection}/${ADDRESS.rkey}`;

@AutoSyncsWithAtp()
export class Row extends AtpRecordEntity {
  id = 1;
  /** What the mapper makes of it has this CID. */
  wanted = 'cid-new';
}

/** A row as it is in the database; by default it is published. */
export const row = (fields: Partial<Row> = {}): Row =>
  Object.assign(new Row(), {
    atpUri: URI,
    atpCid: 'cid-old',
    atpRkey: ADDRESS.rkey,
    atpSyncedAt: null,
    ...fields,
  });

export const unpublished = (fields: Partial<Row> = {}): Row => row({ atpUri: null, atpCid: null, ...fields });

export interface Behaviour {
  readonly softDeleted: boolean;
  readonly eligible: boolean;
  readonly unsyncs: boolean;
  readonly whenNotEligible: 'keep' | 'unpublish';
  readonly onConflict: 'overwrite' | 'fail';
  readonly hasFixedRkey: boolean;
  readonly toRecord: (entity: Row) => string;
}

/** What the sync asks of an entity class. */
export function entityThat(behaviour: Partial<Behaviour> = {}): SyncedEntity {
  const { softDeleted = false, eligible = true, unsyncs = true, toRecord } = behaviour;
  const { whenNotEligible = 'keep', onConflict = 'overwrite', hasFixedRkey = false } = behaviour;
  const fake: Partial<Record<keyof SyncedEntity, unknown>> = {
    name: 'Row',
    hasFixedRkey,
    sync: { level: 'auto', whenNotEligible, onConflict, followOwner: false, functions: {} },
    isSoftDeleted: () => softDeleted,
    shouldAutoSync: async () => eligible,
    shouldAutoUnsync: async () => unsyncs,
    addressOf: async (entity: Row) => parseAtUri(entity.atpUri) ?? { ...ADDRESS, rkey: entity.atpRkey },
    toRecord: async (entity: Row) => ({ record: {}, cid: toRecord?.(entity) ?? entity.wanted }),
    show: (instance: Row, { uri, cid }: RecordState) => Object.assign(instance, { atpUri: uri, atpCid: cid }),
  };
  return fake as SyncedEntity;
}

export const change = (fields: Partial<Change> = {}): Change => ({
  entity: entityThat(),
  entityId: '1',
  address: ADDRESS,
  trigger: 'auto',
  operation: 'republish',
  cid: null,
  keepRecord: false,
  givenUp: false,
  mayDelete: false,
  instance: undefined,
  snapshot: undefined,
  origin: undefined,
  ...fields,
});

export const target = (of: Row | undefined, fields: Partial<Change> = {}): Promise<Target> =>
  targetOf(change(fields), of, null);

export const unverified: RepositoryView = {
  verified: false,
  current: new Map(),
  ours: new Set(),
  deleted: new Set(),
};

/** What was read at the PDS: the CID at the address, or null. */
export const found = (cid: string | null, ours = false): RepositoryView => ({
  verified: true,
  current: new Map([[URI, cid]]),
  ours: new Set(ours ? [URI] : []),
  deleted: new Set(ours && cid === null ? [URI] : []),
});
