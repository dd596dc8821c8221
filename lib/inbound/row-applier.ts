import type { EntityManager } from 'typeorm';
import { isConnectionLost, isPassingFailure } from '../database/database-failure.js';
import { runScript } from '../database/sql-script.js';
import { RecordRows } from '../entities/record-row.js';
import { unpublished, writeRows, type RowWrite } from '../entities/row-write.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { MapperError } from '../errors/mapper.error.js';
import { recordStateOf } from '../metadata/record-state.js';
import type { RecordJson } from '../model/evidence.js';
import { newTid } from '../records/tid.js';
import { whileApplying, type AppliedState } from '../sync/network-writes.js';
import type { AdmissionItem } from './admission-item.js';
import { missingColumns } from './missing-columns.js';

/** A row that is to follow a record. */
export interface RowTask {
  readonly item: AdmissionItem;
  /** Null: the row loses its record. */
  readonly record: RecordJson | null;
}

/** What was done with a row. */
export interface RowDone {
  /** `ignored`: the mapper does not want the record, and it has no row. */
  readonly action: 'created' | 'updated' | 'removed' | 'soft-removed' | 'kept' | 'ignored';
  /** '' without a row. */
  readonly entityId: string;
  readonly entity: object | undefined;
}

/** A row that was not written: the mapper failed, or the database refused it. */
export interface RowRejected {
  readonly error: Error;
}

export type RowOutcomes = ReadonlyMap<RowTask, RowDone | RowRejected>;

/**
 * Makes rows follow their records, in an open transaction. The application's subscribers run; the module's own
 * does not take it for a change. Rows are written together. If one of them fails, each is written by itself, so
 * that it fails alone.
 */
export async function applyRows(tasks: readonly RowTask[], manager: EntityManager): Promise<RowOutcomes> {
  if (tasks.length === 0) return new Map();
  try {
    return await manager.transaction((inner) => new RowGroup(tasks, inner).apply());
  } catch (error) {
    if (!isOfRow(error)) throw error;
    const [only, ...others] = tasks;
    if (only && others.length === 0) return new Map([[only, { error: explained(error, only) }]]);
  }
  const outcomes = new Map<RowTask, RowDone | RowRejected>();
  for (const task of tasks)
    for (const [one, outcome] of await applyRows([task], manager)) outcomes.set(one, outcome);
  return outcomes;
}

/** An error that concerns one row: of the application's own code, or of a statement that was refused. */
const isOfRow = (error: unknown): error is Error =>
  error instanceof Error &&
  !isPassingFailure(error) &&
  (error instanceof MapperError || !isConnectionLost(error));

/** Names the columns that `fromRecord` has to give, where the database missed one. */
function explained(error: Error, { item: { entity, uri } }: RowTask): Error {
  const missing = missingColumns(error, entity.metadata);
  if (missing.length === 0) return error;
  return new MapperError(
    `${entity.mapper?.constructor.name}.fromRecord() gave no ${missing.join(', ')} for ${uri}, which ` +
      `${entity.name} cannot be without: give a value, or give the column a default.`,
    { uri, entityName: entity.name, cause: error },
  );
}

class RowGroup {
  private readonly done = new Map<RowTask, RowDone>();
  private readonly now = new Date();

  constructor(
    private readonly tasks: readonly RowTask[],
    private readonly manager: EntityManager,
  ) {}

  async apply(): Promise<RowOutcomes> {
    const created = new Map<RowTask, object>();
    const updated = new Map<RowTask, object>();
    const leaving: RowTask[] = [];
    for (const task of this.tasks) {
      const { row } = task.item;
      const instance = task.record && (await this.mapped(task, task.record));
      if (instance) (row ? updated : created).set(task, instance);
      else if (row) leaving.push(task);
      else this.done.set(task, IGNORED);
    }
    await this.insert(created);
    await this.update(updated);
    await this.leave(leaving);
    return this.done;
  }

  /** The instance with the values of the record; null for a record that is not wanted. */
  private async mapped({ item }: RowTask, record: RecordJson): Promise<object | null> {
    const { evidence, uri, entity, row, rowId } = item;
    const { did, cid, rev, live } = evidence;
    const context = { did, uri, cid: cid ?? '', rev, existing: row, manager: this.manager, live };
    const values = await entity.fromRecord(record, context);
    if (!values) return null;
    const { metadata } = entity;
    const isInstance = typeof metadata.target === 'function' && values instanceof metadata.target;
    const instance = row ?? (isInstance ? values : (metadata.create() as object));
    const given = Object.entries(values).filter(([, value]) => value !== undefined);
    if (instance !== values) Object.assign(instance, Object.fromEntries(given));
    if (row && entity.idOf(row) !== rowId)
      throw wrongKey(item, `it changed the primary key of ${entity.name} ${rowId}`);
    // A fixed record key is one address of each account, and this record is at another.
    if (entity.hasFixedRkey && entity.newRkey(instance) !== evidence.rkey) return null;
    return instance;
  }

  private async insert(created: ReadonlyMap<RowTask, object>): Promise<void> {
    for (const [entity, group] of this.byClass(created)) {
      await this.refuseTakenKeys(entity, group);
      await this.save(entity, group);
      await this.finish(entity, group, 'created');
    }
  }

  private async update(updated: ReadonlyMap<RowTask, object>): Promise<void> {
    for (const [entity, group] of this.byClass(updated)) {
      const { deleteDateColumn } = entity.metadata;
      for (const [{ item }, row] of group)
        if (entity.isSoftDeleted(row) && comesBack(item)) deleteDateColumn?.setEntityValue(row, null);
      await this.save(entity, group);
      await this.writeColumns(
        entity,
        group.map(([task]) => {
          const { uri, cid, rkey, syncedAt } = this.stateOf(task);
          return { id: task.item.rowId ?? '', set: { uri, cid, rkey, syncedAt }, was: {} };
        }),
      );
      for (const [task, row] of group) entity.show(row, this.stateOf(task));
      await this.finish(entity, group, 'updated');
    }
  }

  private async leave(leaving: readonly RowTask[]): Promise<void> {
    for (const task of leaving) {
      const { entity, row = {}, rowId = '' } = task.item;
      const action = this.actionFor(task);
      const state = recordStateOf(row);
      const next = entity.hasFixedRkey ? null : newTid();
      const cleared = { uri: null, cid: null, rkey: next ?? state.rkey, syncedAt: null };
      const { target } = entity.metadata;
      await whileApplying(new Map([[row, cleared]]), async () => {
        if (action === 'removed') await this.manager.remove(target, row);
        else if (action === 'soft-removed' && !entity.isSoftDeleted(row))
          await this.manager.softRemove(target, row);
      });
      if (action !== 'removed') {
        await this.writeColumns(entity, [unpublished(rowId, state, next)]);
        entity.show(row, cleared);
      }
      this.done.set(task, { action, entityId: action === 'removed' ? '' : rowId, entity: row });
    }
  }

  private actionFor({ item: { entity } }: RowTask): 'removed' | 'soft-removed' | 'kept' {
    const { whenRecordDeleted = entity.metadata.deleteDateColumn ? 'softRemove' : 'remove' } = entity.sync;
    if (entity.authority === 'local' || whenRecordDeleted === 'keep') return 'kept';
    return whenRecordDeleted === 'remove' ? 'removed' : 'soft-removed';
  }

  private byClass(instances: ReadonlyMap<RowTask, object>): Map<SyncedEntity, [RowTask, object][]> {
    return Map.groupBy(instances, ([{ item }]) => item.entity);
  }

  private async save(entity: SyncedEntity, group: readonly [RowTask, object][]): Promise<void> {
    const states = new Map(group.map(([task, instance]) => [instance, this.stateOf(task)]));
    await whileApplying(states, () => this.manager.save(entity.metadata.target, [...states.keys()]));
  }

  private stateOf({ item: { uri, evidence } }: RowTask): AppliedState {
    return { uri, cid: evidence.cid, rkey: evidence.rkey, syncedAt: this.now };
  }

  /** By SQL of its own: TypeORM does not update the record columns. */
  private async writeColumns(entity: SyncedEntity, writes: readonly RowWrite[]): Promise<void> {
    const runner = this.manager.queryRunner!;
    await runScript(writeRows(entity, writes), runner);
  }

  private async finish(
    entity: SyncedEntity,
    group: readonly [RowTask, object][],
    action: 'created' | 'updated',
  ): Promise<void> {
    for (const [task, instance] of group) {
      const { uri, evidence } = task.item;
      const created = action === 'created';
      if (entity.mapper?.afterApply) {
        const { manager } = this;
        const context = { record: task.record ?? {}, created, manager, live: evidence.live };
        await entity.afterApply(instance, uri, context);
      }
      this.done.set(task, { action, entityId: entity.idOf(instance) ?? '', entity: instance });
    }
  }

  /** `save()` would write to the row that has the key already. */
  private async refuseTakenKeys(entity: SyncedEntity, group: readonly [RowTask, object][]): Promise<void> {
    const given = group.flatMap(([{ item }, instance]) => {
      const id = entity.idOf(instance);
      return id === null ? [] : [{ id, item }];
    });
    if (given.length === 0) return;
    const ids = given.map(({ id }) => id);
    const taken = await new RecordRows(entity).read(this.manager.queryRunner!, ids);
    for (const [index, { id, item }] of given.entries())
      if (taken.has(id) || ids.indexOf(id) !== index)
        throw wrongKey(item, `it gave the primary key ${id}, which another ${entity.name} has`);
  }
}

const IGNORED: RowDone = { action: 'ignored', entityId: '', entity: undefined };

/** Whether a soft-deleted row comes back with its record. One that kept its record stays deleted. */
const comesBack = ({ row, known }: AdmissionItem): boolean =>
  (row !== undefined && recordStateOf(row).uri === null) || known?.isLeaving === true;

const wrongKey = ({ entity, uri }: AdmissionItem, problem: string): MapperError =>
  new MapperError(`${entity.mapper?.constructor.name}.fromRecord() failed for ${uri}: ${problem}.`, {
    uri,
    entityName: entity.name,
  });
