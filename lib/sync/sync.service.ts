import { isValidDid } from '@atproto/syntax';
import { AuthenticationError } from '../errors/authentication.error.js';
import { ParityOptionsError } from '../errors/parity-options.error.js';
import { recordStateOf } from '../metadata/record-state.js';
import { SyncResult } from '../model/sync-result.js';
import { onCommittedData } from '../database/committed-data.js';
import { committedRows } from '../database/row-access.js';
import { isSharedTransactionOpen } from '../database/open-transaction.js';
import type { SyncedEntities } from '../entities/synced-entities.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import type { SyncOperation } from '../model/pending-sync.js';
import { entityWriteOf, type Change } from './change.js';
import { resolveWrites } from './change-resolver.js';
import { invalidUse } from './invalid-use.js';
import type { SyncDispatcher } from './sync-dispatcher.js';

/**
 * Publishing by hand.
 * - Every method takes a saved entity, works on its row as committed, and shows the result on the instance.
 * - Each throws AuthenticationError, OAuthSessionInvalidError or MissingScopeError when the account has to
 *   act.
 * - Each throws ParityOptionsError for an entity that is not marked for it.
 * - Every other failure is in the result.
 */
export class SyncService {
  constructor(
    private readonly entities: SyncedEntities,
    private readonly dispatcher: SyncDispatcher,
    /** Whether the call comes from code that a `save()` or a transaction of the application waits for. */
    private readonly isWithinCall: () => boolean = () => false,
  ) {}

  /** Creates the record of an entity, or updates the existing one. `shouldAutoSync` is not asked. */
  publish(entity: object): Promise<SyncResult> {
    return this.sync(entity, 'publish');
  }

  /**
   * Creates the record in the repository of `did`, where it stays. Fails for an entity that is published in
   * another repository.
   */
  async publishAs(did: string, entity: object): Promise<SyncResult> {
    if (!isValidDid(did))
      return invalidUse(
        `'${did}' is no DID; it looks like did:plc:… or did:web:….`,
        aboutOf(this.entities.of(entity), entity),
      );
    return this.sync(entity, 'publish', did);
  }

  /** Updates the record of a published entity. */
  republish(entity: object): Promise<SyncResult> {
    return this.sync(entity, 'republish');
  }

  /** Deletes the record of a published entity. */
  unpublish(entity: object): Promise<SyncResult> {
    return this.sync(entity, 'unpublish');
  }

  /**
   * The record that the mapper makes of the entity as it is in memory. What the instance lacks is loaded.
   *
   * @returns null without a mapper
   */
  async toRecord(entity: object): Promise<Record<string, unknown> | null> {
    const synced = this.entities.of(entity);
    if (!synced.mapper) return null;
    const snapshot = synced.isComplete(entity) ? entity : await this.loaded(synced, entity);
    return (await synced.toRecord(snapshot)).record;
  }

  /**
   * The changed address of a saved entity, for a caller that keeps it for later; null if there is nothing to
   * sync.
   */
  async changeOf(entity: object, operation: SyncOperation): Promise<Change | null> {
    const changes = await this.changes(entity, operation);
    return changes instanceof SyncResult ? null : (changes[0] ?? null);
  }

  private async sync(instance: object, trigger: SyncOperation, did?: string): Promise<SyncResult> {
    const changes = await this.changes(instance, trigger, did);
    if (changes instanceof SyncResult) return changes;
    const [result] = await this.dispatcher.dispatch(changes);
    if (result?.error instanceof AuthenticationError) throw result.error;
    return result ?? new SyncResult('unchanged');
  }

  /**
   * @returns changes, of which the first is the one that was asked for; or the result, if there is nothing to
   *   dispatch
   */
  private async changes(
    instance: object,
    trigger: SyncOperation,
    did?: string,
  ): Promise<Change[] | SyncResult> {
    const entity = this.entities.of(instance);
    const about = aboutOf(entity, instance);
    const failed = (reason: string): SyncResult => invalidUse(reason, about);
    if (entity.sync.level === 'has-record') {
      throw new ParityOptionsError(
        `${entity.name} is marked with @HasAtpRecord(), which only knows its record; mark it with @PublishesRecords() ` +
          `to ${trigger} it by hand, or with @AutoSyncsWithAtp().`,
        about,
      );
    }
    if (!entity.mapper)
      return failed(`${entity.name} has no mapper; provide one, decorated with @AtpMapper().`);
    const { entityId } = about;
    if (entityId === undefined) return failed(`This ${entity.name} has no primary key yet; save it first.`);
    // This call would wait for the end of a transaction that waits for this call. It would also not see what
    // that has written so far.
    if (this.isWithinCall() && isSharedTransactionOpen(entity.dataSource))
      return failed(`The transaction is not committed yet; ${trigger} ${entity.name} ${entityId} after it.`);
    const write = entityWriteOf(entity, entityId, { instance, byHand: { did } });
    const rows = committedRows(entity.dataSource);
    const { changes, unresolved } = await resolveWrites([write], rows);
    const snapshot =
      changes[0]?.snapshot ??
      (await rows.use((runner) => entity.load([entityId], runner.manager))).get(entityId);
    if (unresolved[0]) return new SyncResult('failed', { error: unresolved[0].error });
    if (!snapshot)
      return failed(
        `${entity.name} ${entityId} is not in the database (or not committed yet); save it first.`,
      );
    const { uri } = recordStateOf(snapshot);
    if (uri === null && trigger === 'republish')
      return failed(`${entity.name} ${entityId} has no record; publish it first.`);
    const [change] = changes;
    if (!change && trigger === 'unpublish') return new SyncResult('unchanged');
    if (!change)
      return failed(
        `${entity.name} ${entityId} has no DID: syncAsDid() gave none, so there is no account to publish in${entity.lackedHint(snapshot)}.`,
      );
    if (did !== undefined && change.address.did !== did) {
      return failed(
        `${entity.name} ${entityId} is published at ${uri}; unpublish it before publishing it as ${did}.`,
      );
    }
    const mayDelete = trigger === 'unpublish';
    return [{ ...change, trigger, operation: trigger, mayDelete }, ...changes.slice(1)];
  }

  private async loaded(entity: SyncedEntity, instance: object): Promise<object> {
    const id = entity.idOf(instance);
    const rows =
      id === null
        ? null
        : await onCommittedData(entity.dataSource, undefined, (runner) => entity.load([id], runner.manager));
    const given = Object.entries(instance).filter(([, value]) => value !== undefined);
    return Object.assign(rows?.get(id ?? '') ?? instance, Object.fromEntries(given));
  }
}

const aboutOf = (
  entity: SyncedEntity,
  instance: object,
): { entityName: string; entityId: string | undefined } => ({
  entityName: entity.name,
  entityId: entity.idOf(instance) ?? undefined,
});
