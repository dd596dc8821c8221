import type { EntityManager } from 'typeorm';
import { isValidRecordKey, isValidTid } from '@atproto/syntax';
import { InvalidRecordError } from '../errors/invalid-record.error.js';
import { reasonOf } from '../errors/reason-of.js';
import { ConflictDetected } from '../events/conflict-detected.event.js';
import { ConflictResolved } from '../events/conflict-resolved.event.js';
import { RecordApplied } from '../events/record-applied.event.js';
import { RecordRejected } from '../events/record-rejected.event.js';
import { RecordRemoved } from '../events/record-removed.event.js';
import { runScript } from '../database/sql-script.js';
import { unpublished, writeRows } from '../entities/row-write.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri } from '../model/address.js';
import type { Evidence, RecordJson } from '../model/evidence.js';
import { toPending } from '../pending/change-entries.js';
import type { AdmittedAddress, InboundIssue, KnownAddress } from '../pending/inbound.ledger.js';
import type { Repository } from '../pending/repository.store.js';
import type { PendingChange } from '../pending/pending-entry.js';
import { recordCid } from '../records/record-json.js';
import { newTid } from '../records/tid.js';
import type { AdmissionConfig, AdmitOptions, ForcedResolution } from './admission-config.js';
import type { AdmissionItem, AdmissionOutcome, AdmissionResult } from './admission-item.js';
import { AdmissionRows, type RowQuery } from './admission-rows.js';
import { agreementOf, NO_AGREEMENT, wholeRows, withForeign } from './agreement.js';
import { resolutionOf, type ConflictSides, type Resolution } from './conflict-choice.js';
import { applyRows, type RowDone, type RowTask } from './row-applier.js';
import { verdictOf } from './verdict.js';

type KnownAccount = Pick<Repository, 'status' | 'rev' | 'collections'>;

/** What an applied record answers: nothing, or the conflict that it ends. */
interface Applying extends RowTask {
  readonly ends?: { readonly resolution: 'remote' | 'merged'; readonly sides: ConflictSides };
}

/** One transaction of an admission. What it finds out is told once that is committed. */
export class AdmissionRound {
  readonly results: AdmissionResult[] = [];
  /** Evidence whose row another transaction holds; nothing was written for it. */
  readonly held: Evidence[] = [];
  /** To be emitted after the commit. */
  readonly events: object[] = [];
  /** DIDs of lanes that have new work. */
  readonly wakes = new Set<string>();
  /** DIDs of accounts whose rows have other record columns now. */
  readonly changedDids = new Set<string>();

  private readonly admitted: AdmittedAddress[] = [];
  private readonly issues: Omit<InboundIssue, 'createdAt'>[] = [];
  private readonly ended: KnownAddress[] = [];
  private readonly captures: PendingChange[] = [];
  private readonly dryRun: boolean;
  private manager!: EntityManager;
  private rows!: AdmissionRows;

  constructor(
    private readonly evidence: readonly Evidence[],
    private readonly config: AdmissionConfig,
    private readonly options: Pick<AdmitOptions, 'dryRun' | 'resolution'>,
  ) {
    this.dryRun = options.dryRun ?? false;
  }

  async run(manager: EntityManager): Promise<void> {
    this.manager = manager;
    this.rows = new AdmissionRows(this.config.entities, manager);
    if (this.evidence.length === 0) return;
    const tasks = await this.decide();
    await this.apply(tasks);
    if (!this.dryRun) await this.write();
  }

  /** @returns the rows that are to follow their records */
  private async decide(): Promise<Applying[]> {
    const { ledger } = this.config;
    const runner = this.manager.queryRunner!;
    const dids = [...new Set(this.evidence.map(({ did }) => did))].toSorted();
    await ledger.lock(dids, runner);
    const accounts = await ledger.accounts(dids, runner);
    const inFlight = await ledger.inFlight(dids, runner);
    const { known, held } = await ledger.at(this.evidence, runner);
    const queries: RowQuery[] = [];
    for (const evidence of this.evidence) {
      const uri = atUri(evidence);
      if (this.isSuperseded(evidence, accounts.get(evidence.did))) continue;
      if (held.has(uri)) this.held.push(evidence);
      else {
        const query = this.queryOf(evidence, known.get(uri));
        if (query && !this.endsWithoutRow(query, inFlight.get(uri))) queries.push(query);
      }
    }
    const { items, held: heldRows } = await this.rows.of(queries);
    this.held.push(...heldRows);
    const tasks: Applying[] = [];
    for (const item of items) tasks.push(...(await this.tasksOf(item, inFlight.get(item.uri))));
    return tasks;
  }

  /** Whether an import says more than a live event, or nothing is taken over from the account. */
  private isSuperseded(evidence: Evidence, account: KnownAccount | undefined): boolean {
    if (!account || evidence.source !== 'stream') return false;
    const { status, rev, collections } = account;
    if (status === 'rewound') this.end(evidence, 'dropped', { reason: REWOUND });
    else if (rev !== null && evidence.rev <= rev && collections.includes(evidence.collection))
      this.end(evidence, 'unchanged');
    else return false;
    return true;
  }

  /** The class that evidence concerns; undefined where it ends here. */
  private queryOf(evidence: Evidence, known: KnownAddress | undefined): RowQuery | undefined {
    const [first] = this.rows.classesOf(evidence.collection);
    const claimed = known && this.rows.classOf(known);
    const entity = claimed ?? first;
    if (!entity) {
      this.end(evidence, 'dropped', { reason: `no mapper has the collection ${evidence.collection}` });
      return undefined;
    }
    if (!isValidTid(evidence.rev) || !isValidRecordKey(evidence.rkey)) {
      const what = isValidTid(evidence.rev) ? `record key '${evidence.rkey}'` : `revision '${evidence.rev}'`;
      this.reject(
        { evidence, entity, known },
        new InvalidRecordError(`The ${what} is none.`, evidence),
        false,
      );
      return undefined;
    }
    if (!known && entity.authority === 'local') {
      this.end(evidence, 'dropped', { reason: `${entity.name} does not follow its records` });
      return undefined;
    }
    return { evidence, entity, known };
  }

  /** Most evidence repeats what is known, and needs no look at the row. */
  private endsWithoutRow(
    { evidence, entity, known }: RowQuery,
    inFlight: ReadonlySet<string | null> | undefined,
  ): boolean {
    // A write has seen something else than its row says, so the row has to be looked at.
    if (evidence.source === 'read-back') return false;
    const { authority } = entity;
    const verdict = verdictOf(evidence, { known, rowCid: undefined, inFlight, authority });
    if (verdict === 'old') this.end(evidence, 'unchanged');
    else if (verdict === 'echo') this.echo({ evidence, entity, known }, inFlight?.has(evidence.cid) ?? false);
    else return false;
    return true;
  }

  private echo({ evidence, entity, known }: RowQuery, isInFlight: boolean): void {
    this.end(evidence, 'unchanged');
    if (!known) {
      // The deletion is remembered, so that a creation that is told late does not bring the record back.
      if (evidence.source === 'stream') this.admit({ evidence, entity, known }, 'clean', '', null);
      return;
    }
    if (known.inConflict && !isInFlight) {
      // The other side has taken its edit back.
      this.ended.push(known);
      this.admit({ evidence, entity, known }, 'dirty', known.entityId, known.cid, known);
      this.wakes.add(evidence.did);
    } else if (known.rev !== evidence.rev)
      this.admit({ evidence, entity, known }, 'seen', known.entityId, known.cid);
  }

  private async tasksOf(
    item: AdmissionItem,
    inFlight: ReadonlySet<string | null> | undefined,
  ): Promise<Applying[]> {
    const { evidence, entity, known, row, rowId } = item;
    const rowCid = row && recordStateOf(row).uri === item.uri ? recordStateOf(row).cid : undefined;
    const verdict = verdictOf(evidence, { known, rowCid, inFlight, authority: entity.authority });
    switch (verdict) {
      case 'old':
        this.end(evidence, 'unchanged');
        return [];
      case 'echo':
        if (
          row &&
          recordStateOf(row).uri === item.uri &&
          rowCid !== evidence.cid &&
          !inFlight?.has(evidence.cid)
        )
          await this.writeCid(item);
        // Only the row knows the record: it is from before its changes were kept, or was not settled yet.
        if (known) this.echo(item, false);
        else {
          this.end(evidence, 'unchanged');
          this.admit(item, 'clean', rowId ?? '', evidence.cid, await this.agreement(item));
        }
        return [];
      case 'told':
        this.end(evidence, 'conflicted');
        this.admit(item, 'seen', known?.entityId ?? '', known?.cid ?? null);
        this.tellConflict(item, { local: undefined, remote: evidence.record ?? null });
        return [];
      case 'remove':
        return [{ item, record: null }];
      case 'apply':
        return this.checked(item) ? [{ item, record: evidence.record ?? null }] : [];
      default:
        return this.checked(item) ? this.conflict(item) : [];
    }
  }

  /** Row and repository agree, and only the record columns do not say so. */
  private async writeCid({ entity, rowId = '', evidence }: AdmissionItem): Promise<void> {
    if (this.dryRun) return;
    const write = { id: rowId, set: { cid: evidence.cid }, was: {} };
    await runScript(writeRows(entity, [write]), this.manager.queryRunner!);
    this.changedDids.add(evidence.did);
  }

  private async agreement({ entity, row, evidence }: AdmissionItem): Promise<typeof NO_AGREEMENT> {
    if (!row || evidence.cid === null || !evidence.record) return NO_AGREEMENT;
    return agreementOf(entity, row, evidence.record, evidence.cid);
  }

  /** Whether the record can be taken over at all. */
  private checked(item: AdmissionItem): boolean {
    const { evidence, entity } = item;
    if (evidence.cid === null) return true;
    try {
      if (evidence.error) throw evidence.error;
      const schema = entity.sync.onInvalid === 'reject' ? entity.mapper?.schema : undefined;
      // The CIDs of a snapshot were compared with the bytes.
      if (evidence.source !== 'stream' && !schema) return true;
      const cid = recordCid(evidence.record, evidence.collection, schema);
      if (cid === evidence.cid || evidence.source !== 'stream') return true;
      throw new InvalidRecordError(`The record does not have the CID ${evidence.cid} that it was told with.`);
    } catch (error) {
      this.reject(item, error as Error);
      return false;
    }
  }

  private async conflict(item: AdmissionItem): Promise<Applying[]> {
    const { evidence, known, row } = item;
    const remote = evidence.record ?? null;
    try {
      const ours = await this.localRecord(item);
      const sides = { local: ours?.record ?? null, remote, base: known?.base ?? null };
      // Both sides ended equal, or nothing that the record holds was changed here.
      if (ours && ours.cid === evidence.cid) {
        this.end(evidence, 'unchanged', { entity: row });
        this.admit(item, 'clean', known?.entityId ?? '', evidence.cid, await this.agreement(item));
        return [];
      }
      const isUnchanged = ours !== null && known?.cid != null && ours.cid === (known.mapped ?? known.cid);
      if (isUnchanged && !known.inConflict) return [{ item, record: remote }];
      const { resolution = await resolutionOf(item, sides, this.config.timeoutMs) } = this.options;
      return await this.resolve(item, sides, resolution, ours?.cid ?? null);
    } catch (error) {
      this.reject(item, error as Error);
      return [];
    }
  }

  /** The record that the local change asks for; null if it asks for none. */
  private async localRecord({
    entity,
    known,
    row,
  }: AdmissionItem): Promise<{ record: RecordJson; cid: string } | null> {
    if (!row || known?.isLeaving) return null;
    return withForeign((await entity.toRecord(row)).record, known?.foreign ?? null, entity);
  }

  private async resolve(
    item: AdmissionItem,
    sides: ConflictSides,
    resolution: Resolution | ForcedResolution,
    localCid: string | null,
  ): Promise<Applying[]> {
    const { side } = resolution;
    if (side === 'manual') {
      this.openConflict(item, sides);
      return [];
    }
    if (side === 'local') {
      await this.keepLocal(item, sides);
      return [];
    }
    if (side === 'dismissed') {
      await this.dismiss(item, sides, localCid);
      return [];
    }
    const record = side === 'merged' ? { ...sides.remote, ...resolution.record } : sides.remote;
    return [{ item, record, ends: { resolution: side, sides } }];
  }

  private openConflict(item: AdmissionItem, { local, remote }: ConflictSides): void {
    const { evidence, entity, known, rowId = '' } = item;
    const { rev, cid } = evidence;
    const entityId = known?.entityId ?? rowId;
    const reason = `${item.uri} was changed here and elsewhere.`;
    const issue = { entityName: entity.storedName, entityId, rev, cid, record: remote, local, reason };
    this.issues.push({ address: evidence, kind: 'conflict', ...issue });
    this.admit(item, 'conflict', entityId, known?.cid ?? null);
    this.end(evidence, 'conflicted');
    this.tellConflict(item, { local, remote });
  }

  /** The local change goes on, on top of what is in the repository by now. */
  private async keepLocal(item: AdmissionItem, sides: ConflictSides): Promise<void> {
    const { evidence, entity, known, row, rowId = '' } = item;
    const entityId = known?.entityId ?? rowId;
    const runner = this.manager.queryRunner!;
    const state = row && recordStateOf(row);
    this.end(evidence, 'conflicted', { entity: row });
    this.tellResolved(item, 'local', sides);
    this.changedDids.add(evidence.did);
    this.wakes.add(evidence.did);
    if (this.dryRun) return;
    if (evidence.cid === null && row && state && !entity.hasFixedRkey) {
      // The record is published again, under a key that no delete has used.
      const next = newTid();
      await runScript(writeRows(entity, [unpublished(rowId, state, next)]), runner);
      entity.show(row, { uri: null, cid: null, rkey: next });
      this.admit(item, 'clean', '', null);
      this.captures.push(toPending({ ...publishing(entity, rowId), address: { ...evidence, rkey: next } }));
      return;
    }
    if (row && state?.uri === item.uri) await this.writeCid(item);
    const foreign =
      evidence.record && sides.local ? this.foreignOf(item, evidence.record, sides.local) : null;
    this.admit(item, 'dirty', entityId, evidence.cid, {
      mapped: null,
      foreign,
      base: evidence.record ?? null,
    });
  }

  /** The row is published when it changes next; until then it counts as agreed, although it differs. */
  private async dismiss(item: AdmissionItem, sides: ConflictSides, localCid: string | null): Promise<void> {
    const { evidence, entity, known, row, rowId = '' } = item;
    const runner = this.manager.queryRunner!;
    const { cid, record } = evidence;
    const state = row && recordStateOf(row);
    if (row && state && cid === null) {
      const next = entity.hasFixedRkey ? null : newTid();
      await runScript(writeRows(entity, [unpublished(rowId, state, next)]), runner);
    } else if (row && state?.uri === item.uri) await this.writeCid(item);
    const foreign = record && sides.local ? this.foreignOf(item, record, sides.local) : null;
    const agreement = { mapped: cid === null ? null : localCid, foreign, base: record ?? null };
    this.admit(item, 'clean', known?.entityId ?? rowId, cid, agreement);
    this.end(evidence, 'conflicted', { entity: row });
    this.tellResolved(item, 'dismissed', sides);
    this.changedDids.add(evidence.did);
  }

  private foreignOf(
    { entity, known }: AdmissionItem,
    remote: RecordJson,
    local: RecordJson,
  ): RecordJson | null {
    const kept = Object.keys(known?.foreign ?? {});
    const ours = Object.keys(local).filter((field) => !kept.includes(field));
    const owned = new Set(entity.mapper?.owns ?? ours);
    const foreign = Object.entries(remote).filter(([field]) => field !== '$type' && !owned.has(field));
    return foreign.length > 0 ? Object.fromEntries(foreign) : null;
  }

  private async apply(tasks: readonly Applying[]): Promise<void> {
    if (this.dryRun) return this.foresee(tasks);
    const outcomes = await applyRows(tasks, this.manager);
    const written = tasks.flatMap((task) => {
      const done = outcomes.get(task);
      const { entity } = task.item;
      return done && 'action' in done && done.entity && task.record
        ? [{ entity, entityId: done.entityId, instance: done.entity }]
        : [];
    });
    const whole = await wholeRows(written, this.manager);
    for (const task of tasks) {
      const done = outcomes.get(task);
      if (!done) continue;
      if ('error' in done) this.reject(task.item, done.error);
      else await this.applied(task, done, done.entity && (whole.get(done.entity) ?? done.entity));
    }
  }

  private async applied(task: Applying, done: RowDone, row: object | undefined): Promise<void> {
    const { item, record, ends } = task;
    const { evidence, entity, known, uri } = item;
    const { did, cid, live } = evidence;
    const { action, entityId } = done;
    if (ends) this.tellResolved(item, ends.resolution, ends.sides);
    if (record && cid !== null && (action === 'created' || action === 'updated') && row) {
      const agreement = await agreementOf(entity, row, record, cid);
      // A merged record differs from that of the repository, and is published.
      const isMerged =
        ends?.resolution === 'merged' && (await this.differs(entity, row, agreement.foreign, cid));
      const base = agreement.base && (evidence.record ?? null);
      this.admit(item, isMerged ? 'dirty' : 'clean', entityId, cid, { ...agreement, base });
      if (isMerged) this.wakes.add(did);
      const operation = action === 'created' ? 'create' : 'update';
      this.end(evidence, ends ? 'conflicted' : action, { entity: row });
      this.events.push(new RecordApplied(did, uri, cid, operation, entity.name, entityId, row, live));
    } else {
      this.admit(item, 'clean', action === 'soft-removed' || action === 'kept' ? entityId : '', cid);
      if (action === 'ignored')
        this.end(evidence, cid === null ? 'unchanged' : 'skipped', { reason: UNWANTED });
      else this.left(item, done, known);
    }
    this.changedDids.add(did);
  }

  private left(
    { evidence, entity, uri }: AdmissionItem,
    done: RowDone,
    known: KnownAddress | undefined,
  ): void {
    const { did, live } = evidence;
    const row = done.action === 'removed' || done.action === 'soft-removed' ? done.action : 'kept';
    this.end(evidence, 'removed', { entity: done.entity });
    const id = known?.entityId ?? done.entityId;
    this.events.push(new RecordRemoved(did, uri, entity.name, id, done.entity, row, live));
  }

  private async differs(
    entity: SyncedEntity,
    row: object,
    foreign: RecordJson | null,
    cid: string,
  ): Promise<boolean> {
    return withForeign((await entity.toRecord(row)).record, foreign, entity).cid !== cid;
  }

  /** What {@link apply} would do, as far as that can be told without writing. */
  private foresee(tasks: readonly Applying[]): void {
    for (const { item, record, ends } of tasks) {
      const applied = item.row ? 'updated' : 'created';
      const gone = item.row ? 'removed' : 'unchanged';
      this.end(item.evidence, ends ? 'conflicted' : record ? applied : gone, { entity: item.row });
    }
  }

  private end(
    evidence: Evidence,
    outcome: AdmissionOutcome,
    more: Pick<AdmissionResult, 'entity' | 'reason'> = {},
  ): void {
    this.results.push({ evidence, outcome, ...more });
  }

  /** @param keeps whether it is kept in the ledger, which takes valid keys only */
  private reject({ evidence, entity, known }: RowQuery, error: Error, keeps = true): void {
    const { did, cid, live, rev, record = null } = evidence;
    const reason = reasonOf(error);
    this.end(evidence, 'rejected', { reason });
    const uri = atUri(evidence);
    this.events.push(new RecordRejected(did, uri, cid, entity.name, reason, error, live));
    if (!keeps) return;
    const about = { entityName: entity.storedName, entityId: known?.entityId ?? '' };
    this.issues.push({
      address: evidence,
      kind: 'rejected',
      ...about,
      rev,
      cid,
      record,
      local: null,
      reason,
    });
    this.admit({ evidence, entity, known }, 'seen', known?.entityId ?? '', known?.cid ?? null);
  }

  private admit(
    { evidence, entity, known }: RowQuery,
    outcome: AdmittedAddress['outcome'],
    entityId: string,
    cid: string | null,
    agreement: typeof NO_AGREEMENT = NO_AGREEMENT,
  ): void {
    const { did, collection, rkey, rev } = evidence;
    const { mapped, foreign, base } = agreement;
    const entityName = entity.storedName;
    const address = { did, collection, rkey };
    const isNew = known === undefined;
    this.admitted.push({ address, outcome, isNew, rev, entityName, entityId, cid, mapped, foreign, base });
    if (known && outcome === 'clean') this.ended.push(known);
    else if (known && outcome === 'dirty' && !this.ended.includes(known)) this.ended.push(known);
  }

  private tellConflict(
    { evidence, entity, known, uri }: AdmissionItem,
    { local, remote }: { readonly local: RecordJson | null | undefined; readonly remote: RecordJson | null },
  ): void {
    const { did, live } = evidence;
    const id = known?.entityId ?? '';
    this.events.push(new ConflictDetected(did, uri, entity.name, id, local, remote, live));
  }

  private tellResolved(
    { evidence, entity, known, uri }: AdmissionItem,
    resolution: ConflictResolved['resolution'],
    { local, remote }: ConflictSides,
  ): void {
    const { did, live } = evidence;
    const id = known?.entityId ?? '';
    this.events.push(new ConflictResolved(did, uri, entity.name, id, resolution, local, remote, live));
  }

  private async write(): Promise<void> {
    const { ledger, changes } = this.config;
    const runner = this.manager.queryRunner!;
    if (this.admitted.length > 0) await ledger.admit(this.admitted, runner);
    if (this.ended.length > 0)
      await ledger.removeIssues(
        this.ended.map(({ address }) => address),
        runner,
      );
    if (this.issues.length > 0) await ledger.keepIssues(this.issues, runner);
    if (this.captures.length > 0) await changes.capture(this.captures, runner);
  }
}

const REWOUND = 'the repository went back to an earlier revision, which ParityService.verify() can look at';
const UNWANTED = 'fromRecord() gave null';

/** A change that publishes an entity under a new record key. */
const publishing = (entity: SyncedEntity, entityId: string) =>
  ({
    entity,
    entityId,
    trigger: 'auto',
    operation: 'publish',
    cid: null,
    keepRecord: false,
    givenUp: false,
    mayDelete: true,
    instance: undefined,
    snapshot: undefined,
    origin: undefined,
  }) as const;
