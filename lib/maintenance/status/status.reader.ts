import { recordStateOf } from '../../metadata/record-state.js';
import { atUri, parseAtUri } from '../../model/address.js';
import { onCommittedData } from '../../database/committed-data.js';
import type { SyncedEntities } from '../../entities/synced-entities.js';
import type { SyncedEntity } from '../../entities/synced-entity.js';
import type { SessionProvider } from '../../sessions/session-provider.js';
import { assess } from '../../sync/assessment.js';
import { unresolvedAddress } from '../../sync/unresolved.js';
import type { PendingView, PendingStats } from '../../pending/pending-views.js';
import type { LaneStore } from '../../pending/lane.store.js';
import { ACCOUNT_INACTIVE } from '../../pending/pending-entry.js';
import type { PendingSyncReader } from '../../pending/pending-sync.reader.js';
import type { EntityStatus } from './entity-status.js';

export interface StatusReaderConfig {
  readonly entities: SyncedEntities;
  readonly sessions: SessionProvider;
  /** Null while pending syncs are disabled. */
  readonly store: (PendingSyncReader & Pick<LaneStore, 'lane'>) | null;
  /** Whether this process is writing for a DID right now. */
  readonly isRunning: (did: string) => boolean;
}

const NOTHING: PendingStats = { pending: 0, parked: 0, leased: 0, dead: 0, oldestWaiting: null };

/** Reads the state of entities from their rows and the store. It makes no request, and changes nothing. */
export class StatusReader {
  constructor(private readonly config: StatusReaderConfig) {}

  /**
   * How an entity and its record relate. Reads the row as committed, and not the instance.
   *
   * @throws ParityOptionsError for an entity that is not marked
   */
  async of(instance: object): Promise<EntityStatus> {
    const entity = this.config.entities.of(instance);
    const id = entity.idOf(instance);
    const row =
      id === null
        ? undefined
        : await onCommittedData(entity.dataSource, undefined, async (runner) =>
            (await entity.load([id], runner.manager)).get(id),
          );
    if (!row || id === null) return this.ofGone(instance);
    let kept: PendingView | null = null;
    try {
      // If the entity's own code fails to tell its account, the entity is kept under an unresolved address
      // until the code has been asked again.
      const known = await addresses(entity, row).catch(() => []);
      const uris = [...known, atUri(unresolvedAddress(entity, id))];
      kept = await this.kept(uris);
      if (kept && !kept.dead) return await this.ofPending(kept);
      const status = await ofRow(entity, row, kept);
      return status.status === 'failed' && uris[0] ? this.unlessRunning(status, uris[0]) : status;
    } catch (error) {
      const { message } = error as Error;
      const { uri } = recordStateOf(row);
      return kept?.dead
        ? dead(kept)
        : { status: 'failed', uri, error: message, attempts: 0, deadLetter: null };
    }
  }

  /** Zeros while pending syncs are disabled. */
  async stats(): Promise<PendingStats> {
    return (await this.config.store?.stats()) ?? NOTHING;
  }

  /** A removed instance still knows where its record was. */
  private async ofGone(instance: object): Promise<EntityStatus> {
    const { uri } = recordStateOf(instance);
    const kept = uri === null ? null : await this.kept([uri]);
    if (!kept) return { status: 'not-eligible', reason: 'it is not in the database', uri: null };
    return kept.dead ? dead(kept) : this.ofPending(kept);
  }

  /** A store that keeps only failed changes does not know of changes under way. */
  private unlessRunning(status: EntityStatus, uri: string): EntityStatus {
    if (!this.config.isRunning(parseAtUri(uri)?.did ?? '')) return status;
    return { status: 'pending', uri, operation: 'publish', since: new Date(), reason: 'under way' };
  }

  /** A pending sync comes before a dead letter, because a record that moves has two addresses. */
  private async kept(uris: readonly string[]): Promise<PendingView | null> {
    const { store } = this.config;
    const all = await Promise.all(uris.map((uri) => store?.inspect(uri)));
    return all.find((kept) => kept && !kept.dead) ?? all.find((kept) => kept) ?? null;
  }

  private async ofPending(view: PendingView): Promise<EntityStatus> {
    const { sync, tried, needsSession, backlog, inConflict } = view;
    const { uri, did, operation, attempts, lastError } = sync;
    if (inConflict) return { status: 'conflict', uri, reason: IN_CONFLICT };
    const lane = await this.config.store?.lane(did);
    if (lane?.park && !(await this.isVoid(did, lane.park.sessionId))) {
      const needs = lane.park.code === ACCOUNT_INACTIVE ? 'activation' : 'sign-in';
      return { status: 'parked', uri, did, needs, scope: null, reason: lane.park.reason };
    }
    if (needsSession) {
      const reason = lastError ?? 'the session lacks a scope';
      return { status: 'parked', uri, did, needs: 'scope', scope: scopeIn(reason), reason };
    }
    if (lane?.retryAt && lane.retryAt.getTime() > Date.now()) {
      return { status: 'retrying', uri, at: lane.retryAt, error: lastError };
    }
    if (tried && attempts > 0) {
      return { status: 'failed', uri, error: lastError ?? 'unknown', attempts, deadLetter: null };
    }
    const reason = backlog ? 'captured before the last sign-in: it waits for retryPendingSyncs()' : null;
    return { status: 'pending', uri, operation, since: new Date(sync.createdAt), reason };
  }

  /**
   * Whether a newer session than the failed one voids the park, even if the event of the sign-in was lost.
   */
  private async isVoid(did: string, failed: string | null): Promise<boolean> {
    const current = (await this.config.sessions.sessionId?.(did).catch(() => null)) ?? null;
    return current !== null && current !== failed;
  }
}

/** The address of the entity's record, and the address that the entity claims. */
async function addresses(entity: SyncedEntity, row: object): Promise<string[]> {
  const { uri } = recordStateOf(row);
  const address = await entity.addressOf(row);
  return [...new Set([...(address ? [atUri(address)] : []), ...(parseAtUri(uri) && uri ? [uri] : [])])];
}

async function ofRow(entity: SyncedEntity, row: object, kept: PendingView | null): Promise<EntityStatus> {
  const { uri, cid, syncedAt } = recordStateOf(row);
  const synced = (): EntityStatus => ({
    status: 'synced',
    uri: uri ?? '',
    cid,
    syncedAt: syncedAt instanceof Date ? syncedAt : null,
  });
  if (entity.sync.level !== 'auto' || !entity.mapper) {
    if (uri !== null) return synced();
    return kept ? dead(kept) : { status: 'not-eligible', reason: 'it is published by hand only', uri: null };
  }
  const assessment = await assess(entity, row);
  if (assessment.kind === 'synced') return synced();
  if (assessment.kind === 'not-eligible') {
    const { reason } = assessment;
    return { status: 'not-eligible', reason, uri: assessment.uri };
  }
  return kept ? dead(kept) : { status: 'failed', uri, error: FORGOTTEN, attempts: 0, deadLetter: null };
}

const IN_CONFLICT = 'it was changed here and elsewhere, and waits for conflicts.resolve()';

const FORGOTTEN =
  'the record is not what it should be, and no pending sync is kept for it; touch() or reconcile() sees to it';

const dead = ({ sync, dead: letter }: PendingView): EntityStatus => ({
  status: 'failed',
  uri: sync.uri,
  error: letter?.reason ?? 'unknown',
  attempts: sync.attempts,
  deadLetter: sync.id,
});

/** The scope in the message of a MissingScopeError. A store keeps only the message of an error. */
const scopeIn = (message: string): string | null => /scope '([^']+)'/.exec(message)?.[1] ?? null;
