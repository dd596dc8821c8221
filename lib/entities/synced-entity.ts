import type { DataSource, EntityManager, EntityMetadata } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { recordStateOf, type RecordState } from '../metadata/record-state.js';
import type { SyncMetadata } from '../metadata/sync-metadata.js';
import { parseAtUri, type Address } from '../model/address.js';
import { DEFAULT_FUNCTION_TIMEOUT_MS } from '../model/options.js';
import type { PreparedRecord } from '../records/record-json.js';
import type { RecordJson } from '../model/evidence.js';
import type { AppliedContext, InboundContext, RecordMapper } from '../records/record-mapper.js';
import type { Answer } from '../runtime/answers.js';
import { EntityFunctions } from './entity-functions.js';
import { EntityKey } from './entity-key.js';
import { EntityRows } from './entity-rows.js';
import { hide } from './whole-rows.js';

export interface RecordColumns {
  readonly uri: ColumnMetadata;
  readonly cid: ColumnMetadata;
  readonly rkey: ColumnMetadata;
  readonly syncedAt: ColumnMetadata | undefined;
  readonly hiddenAt: ColumnMetadata | undefined;
}

/**
 * - `local`: records follow their entities.
 * - `network`: entities follow their records, and are never published.
 * - `both`: each follows the other.
 */
export type Authority = 'local' | 'network' | 'both';

/**
 * One marked entity class in one DataSource: its key, its rows, what the application's own code says of its
 * entities, and the addresses that they claim.
 */
export class SyncedEntity {
  readonly name: string;
  readonly key: EntityKey;
  /** Other classes whose rows may hold an address of this class: they share its table, or its collection. */
  readonly neighbours: SyncedEntity[] = [];
  private readonly rows: EntityRows;
  private readonly functions: EntityFunctions;

  constructor(
    readonly dataSource: DataSource,
    readonly metadata: EntityMetadata,
    readonly sync: SyncMetadata,
    readonly columns: RecordColumns,
    readonly mapper: RecordMapper | undefined,
    /** The name that every process knows the class by, under which its changes are kept. */
    readonly storedName: string,
    timeoutMs = DEFAULT_FUNCTION_TIMEOUT_MS,
  ) {
    this.name = metadata.name;
    this.key = new EntityKey(dataSource, metadata);
    this.rows = new EntityRows(dataSource, metadata, this.key, mapper);
    this.functions = new EntityFunctions({
      metadata,
      key: this.key,
      functions: sync.functions,
      mapper,
      loaded: this.rows.loaded,
      timeoutMs,
    });
  }

  /** The primary key as a string; null while a value is missing. */
  idOf(entity: object): string | null {
    return this.key.idOf(entity);
  }

  /** Takes the record columns off values that a caller gave. */
  discard(values: object): void {
    for (const column of Object.values(this.columns) as (ColumnMetadata | undefined)[]) {
      if (column?.getEntityValue(values) !== undefined) column.setEntityValue(values, undefined);
    }
  }

  /** Shows on an instance what its record columns hold. */
  show(instance: object, row: Partial<RecordState>): void {
    for (const [name, value] of Object.entries(row)) {
      const column = this.columns[name as keyof RecordColumns];
      column?.setEntityValue(instance, value);
      if (column) hide(instance, [column]);
    }
  }

  isSoftDeleted(entity: object): boolean {
    return this.metadata.deleteDateColumn?.getEntityValue(entity) != null;
  }

  /** See {@link EntityRows.load}. */
  load(ids: readonly string[], manager: EntityManager): Promise<Map<string, object>> {
    return this.rows.load(ids, manager);
  }

  /** See {@link EntityRows.isComplete}. */
  isComplete(instance: object): boolean {
    return this.rows.isComplete(instance);
  }

  /** See {@link EntityRows.afterInsert}. */
  rowAfterInsert(instance: object): object | undefined {
    return this.rows.afterInsert(instance);
  }

  /** See {@link EntityRows.afterUpdate}. */
  rowAfterUpdate(instance: object, before: object, updated: readonly ColumnMetadata[]): object | undefined {
    return this.rows.afterUpdate(instance, before, updated);
  }

  /** See {@link EntityRows.readsJunction}. */
  readsJunction(junction: EntityMetadata): boolean {
    return this.rows.readsJunction(junction);
  }

  /** See {@link EntityRows.hasRelations}. */
  get hasRelations(): boolean {
    return this.rows.hasRelations;
  }

  /** See {@link EntityRows.hasLoadHooks}. */
  get hasLoadHooks(): boolean {
    return this.rows.hasLoadHooks;
  }

  /**
   * Whether the columns of a row tell the account that owns it; otherwise related rows may have to be read.
   */
  isOwnerInRow(row: object): boolean {
    if (!this.hasRelations) return true;
    const did = this.metadata.findColumnWithPropertyName('did')?.getEntityValue(row) as unknown;
    return did != null && !this.functions.has('syncAsDid', row);
  }

  /** @throws MapperError when `syncAsDid` throws, or gives what is no DID */
  didOf(entity: object): Answer<string | null> {
    return this.functions.didOf(entity);
  }

  /** Whether the class has a `shouldAutoSync`; without it every entity is published. */
  choosesWhen(entity: object): boolean {
    return this.functions.has('shouldAutoSync', entity);
  }

  /** @throws MapperError when `shouldAutoSync` throws */
  shouldAutoSync(entity: object): Answer<boolean> {
    return this.functions.shouldAutoSync(entity);
  }

  /** @throws MapperError when `shouldAutoUnsync` throws */
  shouldAutoUnsync(entity: object, removal: { soft: boolean }): Answer<boolean> {
    return this.functions.shouldAutoUnsync(entity, removal);
  }

  /** @throws MapperError when the mapper throws, InvalidRecordError for a result that is no record */
  toRecord(entity: object): Answer<PreparedRecord> {
    return this.functions.toRecord(entity);
  }

  /** See {@link EntityFunctions.lackedHint}. */
  lackedHint(entity: object): string {
    return this.functions.lackedHint(entity);
  }

  /** See {@link EntityFunctions.newRkey}. */
  newRkey(entity: object): string {
    return this.functions.newRkey(entity);
  }

  /** See {@link EntityFunctions.fromRecord}. */
  fromRecord(record: RecordJson, context: InboundContext): Promise<object | null> {
    return this.functions.fromRecord(record, context);
  }

  /** See {@link EntityFunctions.afterApply}. */
  afterApply(entity: object, uri: string, context: AppliedContext): Promise<void> {
    return this.functions.afterApply(entity, uri, context);
  }

  /** Who says what a row and its record should be. */
  get authority(): Authority {
    if (!this.mapper?.fromRecord) return 'local';
    return this.sync.level === 'has-record' ? 'network' : 'both';
  }

  /** Whether conflicts of the class may need the record that both sides agreed on last. */
  get mergesRecords(): boolean {
    const { conflicts } = this.sync;
    return this.authority === 'both' && (conflicts === 'merge' || typeof conflicts === 'function');
  }

  get hasFixedRkey(): boolean {
    return this.mapper?.rkey !== undefined;
  }

  /** The address that the entity claims; null without a DID or a record key. */
  async addressOf(entity: object): Promise<Address | null> {
    const { uri, rkey } = recordStateOf(entity);
    const isOwnerDue = (rkey !== null || parseAtUri(uri) !== null) && this.asksOwner(entity);
    return this.addressIn(entity, isOwnerDue ? await this.didOf(entity) : null);
  }

  /**
   * Whether the address depends on the account that owns the entity now. A record stays where it is, unless
   * it follows its owner.
   */
  asksOwner(entity: object): boolean {
    if (parseAtUri(recordStateOf(entity).uri)) return this.sync.followOwner;
    return this.mapper !== undefined;
  }

  /**
   * The address that the entity claims if `owner` owns it: the place of its record, unless the record moves,
   * or else the address that is reserved for it.
   */
  addressIn(entity: object, owner: string | null): Address | null {
    const { uri, rkey } = recordStateOf(entity);
    const published = parseAtUri(uri);
    const collection = this.mapper?.collection;
    if (published) {
      const place = { did: owner ?? published.did, collection: collection ?? published.collection };
      const stays = place.did === published.did && place.collection === published.collection;
      return { ...place, rkey: stays ? published.rkey : (rkey ?? published.rkey) };
    }
    return !collection || !rkey || owner === null ? null : { did: owner, collection, rkey };
  }
}
