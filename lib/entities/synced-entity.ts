import { isValidDid, isValidRecordKey } from '@atproto/syntax';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { DataSource, EntityManager, EntityMetadata } from 'typeorm';
import { InvalidRecordError } from '../errors/invalid-record.error.js';
import { MapperError } from '../errors/mapper.error.js';
import { reasonOf } from '../errors/reason-of.js';
import { recordStateOf, type RecordState } from '../metadata/record-state.js';
import type { SyncFunctions, SyncMetadata } from '../metadata/sync-metadata.js';
import { DEFAULT_FUNCTION_TIMEOUT_MS } from '../model/options.js';
import { parseAtUri, type Address } from '../model/address.js';
import { KeyedEntity } from './keyed-entity.js';
import { KnownCids } from '../records/known-cids.js';
import { prepareRecord, type PreparedRecord } from '../records/record-json.js';
import {
  isComputed,
  isComplete,
  lackedRelations,
  missedBy,
  neededRelations,
  OWNERS,
  withEager,
  type RelationTree,
} from './relation-tree.js';
import type { RecordMapper } from '../records/record-mapper.js';
import { chunks } from '../database/chunks.js';
import { isSetByUpdate, snapshotOf } from './row-snapshot.js';
import { newTid } from '../records/tid.js';
import { hide, readRows } from './whole-rows.js';
import { mapAnswer, withinTime, type Answer } from '../runtime/answers.js';

export interface RecordColumns {
  readonly uri: ColumnMetadata;
  readonly cid: ColumnMetadata;
  readonly rkey: ColumnMetadata;
  readonly syncedAt: ColumnMetadata | undefined;
}

/** Everything the module knows of one marked entity class in one DataSource. */
export class SyncedEntity extends KeyedEntity {
  readonly name: string;
  private readonly relations: RelationTree;
  /** With what is loaded unasked. */
  private readonly loaded: RelationTree;
  private readonly isComputed: boolean;
  /** Whether its record may be made of other rows, too: those of an instance in hand may be old. */
  readonly hasRelations: boolean;
  private readonly cids = new KnownCids();
  /**
   * Other classes whose rows may hold an address that was of this class: they share its table, or its
   * collection.
   */
  readonly neighbours: SyncedEntity[] = [];

  constructor(
    dataSource: DataSource,
    metadata: EntityMetadata,
    readonly sync: SyncMetadata,
    readonly columns: RecordColumns,
    readonly mapper: RecordMapper | undefined,
    /** Under which its changes are kept, and which every process knows it by. */
    readonly storedName: string,
    /** Milliseconds that the mapper and the entity's own functions have for an answer. */
    private readonly timeoutMs = DEFAULT_FUNCTION_TIMEOUT_MS,
  ) {
    super(dataSource, metadata);
    this.name = metadata.name;
    this.relations = neededRelations(metadata, mapper);
    this.loaded = withEager(metadata, this.relations);
    this.isComputed = isComputed(metadata, this.loaded);
    this.hasRelations = Object.values(this.loaded).some(Boolean) || metadata.lazyRelations.length > 0;
  }

  /** Takes the record columns off values that somebody gave. */
  discard(values: object): void {
    for (const column of Object.values(this.columns) as (ColumnMetadata | undefined)[]) {
      if (column?.getEntityValue(values) !== undefined) column.setEntityValue(values, undefined);
    }
  }

  /** Whether a join table is one of what the mapper or the entity's functions may read. */
  readsJunction(junction: EntityMetadata): boolean {
    return this.metadata.manyToManyRelations.some(
      ({ junctionEntityMetadata, isLazy, propertyPath }) =>
        junctionEntityMetadata === junction && (isLazy || Boolean(this.loaded[propertyPath])),
    );
  }

  /** Whether the instance has its class, every column and the relations that are needed. */
  isComplete(instance: object): boolean {
    // Its own functions may read any of the lazy relations.
    return this.metadata.lazyRelations.length === 0 && isComplete(instance, this.metadata, this.loaded);
  }

  /** The row that an insert has made of an instance; undefined where its event does not tell all of it. */
  rowAfterInsert(instance: object): object | undefined {
    return snapshotOf(this.metadata, (column) =>
      column.isInsert ? (column.getEntityValue(instance) as unknown) : undefined,
    );
  }

  /**
   * The row that an update has left; undefined where its event does not tell all of it.
   *
   * @param instance what was saved
   * @param before the row before
   * @param updated what was written to it
   */
  rowAfterUpdate(instance: object, before: object, updated: readonly ColumnMetadata[]): object | undefined {
    // TypeORM counts a changed column among the updated ones although no update may write it.
    const isWritten = (column: ColumnMetadata): boolean => column.isUpdate && updated.includes(column);
    return snapshotOf(this.metadata, (column): unknown =>
      column.getEntityValue(isWritten(column) || isSetByUpdate(column) ? instance : before),
    );
  }

  /**
   * Whether the columns of a row alone tell the account that owns it; otherwise related rows may be needed
   * for that.
   */
  isOwnerInRow(row: object): boolean {
    if (!this.hasRelations) return true;
    const did = this.metadata.findColumnWithPropertyName('did')?.getEntityValue(row) as unknown;
    return did != null && this.functionOf('syncAsDid', row) === undefined;
  }

  /**
   * Whether something is computed when a row is loaded: an instance that was written to lacks it, or has it
   * of the row before.
   */
  get hasLoadHooks(): boolean {
    return this.isComputed || this.dataSource.subscribers.some(({ afterLoad }) => afterLoad);
  }

  /**
   * Whole instances by id, soft-deleted ones included; of one that is not, what is related to it and
   * soft-deleted is left out.
   */
  async load(ids: readonly string[], manager: EntityManager): Promise<Map<string, object>> {
    const found = new Map<string, object>();
    const { relations } = this;
    const read = async (some: readonly string[], withDeleted: boolean): Promise<void> => {
      const where = this.whereIds(some);
      for (const row of await readRows(this.metadata, manager, { where, relations, withDeleted }))
        found.set(this.idOf(row) ?? '', row);
    };
    for (const chunk of chunks(ids, 500)) {
      await read(chunk, false);
      const gone = this.metadata.deleteDateColumn ? chunk.filter((id) => !found.has(id)) : [];
      if (gone.length > 0) await read(gone, true);
    }
    return found;
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

  /** @throws MapperError when `syncAsDid` throws, or gives what is no DID */
  didOf(entity: object): Answer<string | null> {
    const answer = this.ask('syncAsDid', entity, () => this.defaultDid(entity));
    return mapAnswer(answer, (did) => this.asDid(did, entity));
  }

  private defaultDid(entity: object): unknown {
    const owners = OWNERS.map((name) => {
      const relation = this.metadata.findRelationWithPropertyPath(name);
      const owner = relation ? relation.getEntityValue(entity) : (entity as Record<string, unknown>)[name];
      return (owner as { did?: unknown } | null | undefined)?.did;
    });
    const candidates = [
      (entity as { did?: unknown }).did,
      ...owners,
      parseAtUri(recordStateOf(entity).uri)?.did,
    ];
    return candidates.find((did) => did !== undefined && did !== null);
  }

  private asDid(did: unknown, entity: object): string | null {
    if (typeof did !== 'string' || did === '') return null;
    if (isValidDid(did)) return did;
    throw this.failed(
      'syncAsDid',
      entity,
      new Error(`'${did}' is no DID; it looks like did:plc:… or did:web:….`),
    );
  }

  /** Whether it has a `shouldAutoSync`; otherwise it is always published. */
  choosesWhen(entity: object): boolean {
    return this.functionOf('shouldAutoSync', entity) !== undefined;
  }

  /** @throws MapperError when `shouldAutoSync` throws */
  shouldAutoSync(entity: object): Answer<boolean> {
    return mapAnswer(
      this.ask('shouldAutoSync', entity, () => true),
      isTrue,
    );
  }

  /** @throws MapperError when `shouldAutoUnsync` throws */
  shouldAutoUnsync(entity: object, removal: { soft: boolean }): Answer<boolean> {
    return mapAnswer(
      this.ask('shouldAutoUnsync', entity, () => true, removal),
      isTrue,
    );
  }

  /** The address that the entity claims; null without a DID or a record key. */
  async addressOf(entity: object): Promise<Address | null> {
    const { uri, rkey } = recordStateOf(entity);
    const isOwnerDue = (rkey !== null || parseAtUri(uri) !== null) && this.asksOwner(entity);
    return this.addressIn(entity, isOwnerDue ? await this.didOf(entity) : null);
  }

  /**
   * Whether the address depends on the account that owns the entity now: a record stays where it is, unless
   * it follows its owner.
   */
  asksOwner(entity: object): boolean {
    if (parseAtUri(recordStateOf(entity).uri)) return this.sync.followOwner;
    return this.mapper !== undefined;
  }

  /**
   * The address that the entity claims if this is its owner: where its record is, unless that moves, or else
   * the one reserved for it.
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

  /**
   * The record key to reserve: the mapper's fixed one, or a new TID. @throws MapperError for one that is no
   * record key
   */
  newRkey(entity: object): string {
    const fixed = this.guard('rkey', entity, () => this.mapper?.rkey?.(entity));
    if (fixed === undefined) return newTid();
    if (isValidRecordKey(fixed)) return fixed;
    throw this.failed(
      'rkey',
      entity,
      new Error(`'${String(fixed)}' is no record key: 1 to 512 of A-Z a-z 0-9 . _ ~ : -`),
    );
  }

  get hasFixedRkey(): boolean {
    return this.mapper?.rkey !== undefined;
  }

  /** @throws MapperError when the mapper throws, InvalidRecordError for a result that is no record */
  toRecord(entity: object): Answer<PreparedRecord> {
    const { mapper } = this;
    if (!mapper) throw this.failed('toRecord', entity, new Error('there is no mapper'));
    const prepare = (record: unknown): PreparedRecord => {
      try {
        return prepareRecord(record, mapper.collection, mapper.schema, this.cids);
      } catch (cause) {
        if (!(cause instanceof InvalidRecordError)) throw this.failed('toRecord', entity, cause);
        throw cause.about({ entityName: this.name, entityId: this.idOf(entity) ?? undefined });
      }
    };
    return mapAnswer(
      this.answerOf('toRecord', entity, () => mapper.toRecord(entity)),
      prepare,
    );
  }

  private ask<K extends keyof SyncFunctions<object>>(
    name: K,
    entity: object,
    fallback: () => unknown,
    ...rest: unknown[]
  ): Answer<unknown> {
    const fn = this.functionOf(name, entity);
    return this.answerOf(name, entity, () => (fn ? fn(...rest) : fallback()));
  }

  private answerOf(name: string, entity: object, fn: () => unknown): Answer<unknown> {
    const failed = (cause: unknown): never => {
      throw this.failed(name, entity, cause);
    };
    try {
      const answer = withinTime(fn(), this.timeoutMs);
      return answer instanceof Promise ? answer.catch(failed) : answer;
    } catch (cause) {
      return failed(cause);
    }
  }

  /** The method of the class, or else what the options of its decorator give. */
  private functionOf(
    name: keyof SyncFunctions<object>,
    entity: object,
  ): ((...args: unknown[]) => unknown) | undefined {
    const method = (entity as Record<string, unknown>)[name];
    const option = this.sync.functions[name] as ((...args: unknown[]) => unknown) | undefined;
    if (typeof method === 'function') return (...args) => method.apply(entity, args) as unknown;
    return option && ((...args) => option(entity, ...args));
  }

  private guard<T>(name: string, entity: object, fn: () => T): T {
    try {
      return fn();
    } catch (cause) {
      throw this.failed(name, entity, cause);
    }
  }

  /**
   * Which relations the entity's own code may have missed, as a mapper has to name them; '' where none is
   * lacking, or it failed for another reason.
   *
   * @param cause what it failed with; without it: its own `syncAsDid` gave no account
   */
  lackedHint(entity: object, cause?: unknown): string {
    if (cause === undefined && !this.functionOf('syncAsDid', entity)) return '';
    const lacked = missedBy(cause, lackedRelations(entity, this.metadata, this.loaded));
    if (lacked.length === 0) return '';
    const paths = lacked.map(({ path }) => path).toSorted((one, other) => depthOf(one) - depthOf(other));
    const [first = ''] = paths;
    const named = first.split('.').reduceRight((below, name) => `{ ${name}: ${below} }`, 'true');
    return (
      ` (not loaded: ${paths.join(', ')}. Name what is read in relations of ` +
      `${this.mapper?.constructor.name ?? `a mapper of ${this.name}`}, such as ${named})`
    );
  }

  private failed(fn: string, entity: object, cause: unknown): MapperError {
    const id = this.idOf(entity) ?? undefined;
    const where =
      fn === 'toRecord' || fn === 'rkey' ? (this.mapper?.constructor.name ?? 'a mapper') : this.name;
    const reason = reasonOf(cause) + (fn === 'rkey' ? '' : this.lackedHint(entity, cause));
    return new MapperError(`${where}.${fn}() failed for ${this.name} ${id ?? '(new)'}: ${reason}`, {
      entityName: this.name,
      entityId: id,
      cause,
    });
  }
}

const depthOf = (path: string): number => path.split('.').length;

const isTrue = (answer: unknown): boolean => answer === true;
