import type { EntityManager } from 'typeorm';
import type { AuthenticationError } from '../errors/authentication.error.js';
import { ParityOptionsError } from '../errors/parity-options.error.js';
import { SyncResult } from '../model/sync-result.js';
import type { SyncedEntities } from '../entities/synced-entities.js';
import { entityWriteOf } from '../sync/change.js';
import { CommittedBatch } from '../sync/committed-batch.js';
import { invalidUse } from '../sync/invalid-use.js';
import { authFailure, type Dispatched, type SyncDispatcher } from '../sync/sync-dispatcher.js';
import type { ChangeFeeds } from './change-feeds.js';
import { currentManagedCall } from './call-context.js';
import { currentUnit, type UnitParticipant } from './unit-of-work.js';

/** Lets the application report changes that no row shows. They are handled like a saved entity. */
export class ManualTouch implements UnitParticipant {
  constructor(
    private readonly entities: SyncedEntities,
    private readonly dispatcher: SyncDispatcher,
    private readonly feeds: ChangeFeeds,
  ) {}

  /**
   * Syncs an entity again after something outside its row has changed what it maps to (a many-to-many
   * relation, another table, a file), as after a `save()`. Inside a unit of work, or inside a transaction of
   * `DataSource.transaction()`, the sync happens at the end of that, and the result is 'pending'.
   *
   * @param manager of a transaction that you manage yourself (`queryRunner.manager`); the touch then becomes
   *   part of it. Without the manager, call this method after the commit
   * @throws AuthenticationError if the account has to act
   * @throws ParityOptionsError for an entity that is not marked with `@AutoSyncsWithAtp()`
   */
  async touch(instance: object, manager?: EntityManager): Promise<SyncResult> {
    const { name, metadata } = this.entities.of(instance);
    const entity = this.entities.autoSynced(metadata.target);
    if (!entity) {
      throw new ParityOptionsError(
        `${name} does not follow its entity's life, so touching it does nothing: mark it with @AutoSyncsWithAtp(), or use republish().`,
        { entityName: name },
      );
    }
    const entityId = entity.idOf(instance);
    if (entityId === null)
      return invalidUse(`This ${entity.name} has no primary key yet; save it first.`, {
        entityName: entity.name,
      });
    const scope = currentManagedCall();
    const write = entityWriteOf(entity, entityId, { instance, origin: scope });
    const runner = manager?.queryRunner ?? scope?.runner;
    const log = runner && this.feeds.get(entity.dataSource)?.log(runner);
    if (log?.isOpen) log.add(write);
    else scope?.committed.writes.push(write);
    if (log?.isOpen || scope) return new SyncResult('pending', { reason: 'after the transaction' });
    const unit = currentUnit();
    if (unit) {
      unit.add(this, new CommittedBatch([write]));
      return new SyncResult('pending', { reason: 'at the end of the unit of work' });
    }
    const [first] = throwing(await this.dispatcher.afterCommit(new CommittedBatch([write])));
    return first?.result ?? new SyncResult('skipped', { reason: 'it has no row, or no DID' });
  }

  async dispatchUnit(batch: CommittedBatch): Promise<AuthenticationError | undefined> {
    return authFailure(await this.dispatcher.afterCommit(batch));
  }
}

function throwing(dispatched: readonly Dispatched[]): readonly Dispatched[] {
  const failure = authFailure(dispatched);
  if (failure) throw failure;
  return dispatched;
}
