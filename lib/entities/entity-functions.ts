import { isValidDid, isValidRecordKey } from '@atproto/syntax';
import type { EntityMetadata } from 'typeorm';
import { InvalidRecordError } from '../errors/invalid-record.error.js';
import { MapperError } from '../errors/mapper.error.js';
import { reasonOf } from '../errors/reason-of.js';
import { recordStateOf } from '../metadata/record-state.js';
import type { SyncFunctions } from '../metadata/sync-metadata.js';
import { parseAtUri } from '../model/address.js';
import { KnownCids } from '../records/known-cids.js';
import { prepareRecord, type PreparedRecord } from '../records/record-json.js';
import type { AppliedContext, InboundContext, RecordMapper } from '../records/record-mapper.js';
import type { RecordJson } from '../model/evidence.js';
import { newTid } from '../records/tid.js';
import { isPromise, mapAnswer, withinTime, type Answer } from '../runtime/answers.js';
import type { EntityKey } from './entity-key.js';
import { isPlainObject } from './plain-object.js';
import { lackedRelations, missedBy, OWNERS, type RelationTree } from './relation-tree.js';

export interface EntityFunctionsOptions {
  readonly metadata: EntityMetadata;
  readonly key: EntityKey;
  /** The options of the decorator; a method of the class wins. */
  readonly functions: SyncFunctions<object>;
  readonly mapper: RecordMapper | undefined;
  /** The relations that are loaded before the application's code is called. */
  readonly loaded: RelationTree;
  /** Milliseconds that the application's code has for an answer. */
  readonly timeoutMs: number;
}

/**
 * What the application's own code says of the entities of one class: the three sync functions and the mapper.
 * An error of theirs becomes a MapperError that names the function, the entity and the relations that it
 * lacked.
 */
export class EntityFunctions {
  private readonly cids = new KnownCids();
  private readonly metadata: EntityMetadata;
  private readonly key: EntityKey;
  private readonly functions: SyncFunctions<object>;
  private readonly mapper: RecordMapper | undefined;
  private readonly loaded: RelationTree;
  private readonly timeoutMs: number;

  constructor(options: EntityFunctionsOptions) {
    this.metadata = options.metadata;
    this.key = options.key;
    this.functions = options.functions;
    this.mapper = options.mapper;
    this.loaded = options.loaded;
    this.timeoutMs = options.timeoutMs;
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

  /** Whether the class or its decorator has one of the three functions. */
  has(name: keyof SyncFunctions<object>, entity: object): boolean {
    return this.functionOf(name, entity) !== undefined;
  }

  /** @throws MapperError when `shouldAutoSync` throws */
  shouldAutoSync(entity: object): Answer<boolean> {
    const answer = this.ask('shouldAutoSync', entity, () => true);
    return mapAnswer(answer, isTrue);
  }

  /** @throws MapperError when `shouldAutoUnsync` throws */
  shouldAutoUnsync(entity: object, removal: { soft: boolean }): Answer<boolean> {
    const answer = this.ask('shouldAutoUnsync', entity, () => true, removal);
    return mapAnswer(answer, isTrue);
  }

  /**
   * The record key to reserve: the mapper's fixed one, or a new TID.
   *
   * @throws MapperError for a fixed one that is no record key
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

  /** @throws MapperError when the mapper throws, InvalidRecordError for a result that is no record */
  toRecord(entity: object): Answer<PreparedRecord> {
    const { mapper } = this;
    if (!mapper) throw this.failed('toRecord', entity, new Error('there is no mapper'));
    const answer = this.answerOf('toRecord', entity, () => mapper.toRecord(entity));
    return mapAnswer(answer, (record) => this.prepared(entity, record, mapper));
  }

  private prepared(entity: object, record: unknown, { collection, schema }: RecordMapper): PreparedRecord {
    try {
      return prepareRecord(record, collection, schema, this.cids);
    } catch (cause) {
      if (!(cause instanceof InvalidRecordError)) throw this.failed('toRecord', entity, cause);
      throw cause.about({ entityName: this.metadata.name, entityId: this.key.idOf(entity) ?? undefined });
    }
  }

  /**
   * The values that the mapper makes of a record; null for a record that it does not want.
   *
   * @throws MapperError when it throws, or gives what is no partial entity of the class
   */
  async fromRecord(record: RecordJson, context: InboundContext): Promise<object | null> {
    const failed = (cause: unknown): MapperError => this.failedFor('fromRecord', context.uri, cause);
    let values: unknown;
    try {
      values = await withinTime(this.mapper?.fromRecord?.(record, context) ?? null, this.timeoutMs);
    } catch (cause) {
      throw failed(cause);
    }
    if (values === null) return null;
    const { target, name } = this.metadata;
    if (isPlainObject(values) || (typeof target === 'function' && values instanceof target)) return values;
    throw failed(
      new Error(`it gave what is no partial ${name}; give a plain object with its values, or null`),
    );
  }

  /** @throws MapperError when the mapper throws */
  async afterApply(entity: object, uri: string, context: AppliedContext): Promise<void> {
    try {
      await withinTime(this.mapper?.afterApply?.(entity, context), this.timeoutMs);
    } catch (cause) {
      throw this.failedFor('afterApply', uri, cause);
    }
  }

  private failedFor(fn: string, uri: string, cause: unknown): MapperError {
    const where = this.mapper?.constructor.name ?? 'a mapper';
    const message = `${where}.${fn}() failed for ${uri}: ${reasonOf(cause)}`;
    return new MapperError(message, { uri, entityName: this.metadata.name, cause });
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
      return isPromise(answer) ? answer.catch(failed) : answer;
    } catch (cause) {
      return failed(cause);
    }
  }

  /** The method of the class, or else the option of its decorator. */
  private functionOf(
    name: keyof SyncFunctions<object>,
    entity: object,
  ): ((...args: unknown[]) => unknown) | undefined {
    const method = (entity as Record<string, unknown>)[name];
    const option = this.functions[name] as ((...args: unknown[]) => unknown) | undefined;
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
   * Names the relations that the application's code may have missed, as a mapper has to declare them; ''
   * where no relation is lacking, or the code failed for another reason.
   *
   * @param cause what the code threw; undefined where its `syncAsDid` gave no account
   */
  lackedHint(entity: object, cause?: unknown): string {
    if (cause === undefined && !this.has('syncAsDid', entity)) return '';
    const lacked = missedBy(cause, lackedRelations(entity, this.metadata, this.loaded));
    if (lacked.length === 0) return '';
    const paths = lacked.map(({ path }) => path).toSorted((one, other) => depthOf(one) - depthOf(other));
    const [first = ''] = paths;
    const named = first.split('.').reduceRight((below, name) => `{ ${name}: ${below} }`, 'true');
    return (
      ` (not loaded: ${paths.join(', ')}. Name what is read in relations of ` +
      `${this.mapper?.constructor.name ?? `a mapper of ${this.metadata.name}`}, such as ${named})`
    );
  }

  private failed(fn: string, entity: object, cause: unknown): MapperError {
    const id = this.key.idOf(entity) ?? undefined;
    const where =
      fn === 'toRecord' || fn === 'rkey' ? (this.mapper?.constructor.name ?? 'a mapper') : this.metadata.name;
    const reason = reasonOf(cause) + (fn === 'rkey' ? '' : this.lackedHint(entity, cause));
    return new MapperError(`${where}.${fn}() failed for ${this.metadata.name} ${id ?? '(new)'}: ${reason}`, {
      entityName: this.metadata.name,
      entityId: id,
      cause,
    });
  }
}

const depthOf = (path: string): number => path.split('.').length;

const isTrue = (answer: unknown): boolean => answer === true;
