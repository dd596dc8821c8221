import type { EntityManager } from 'typeorm';
import { isValidRecordKey, isValidTid } from '@atproto/syntax';
import { InvalidRecordError } from '../errors/invalid-record.error.js';
import { RecordApplied } from '../events/record-applied.event.js';
import { RecordRemoved } from '../events/record-removed.event.js';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri } from '../model/address.js';
import type { Evidence } from '../model/evidence.js';
import type { KnownAddress } from '../pending/inbound.ledger.js';
import type { Repository } from '../pending/repository.store.js';
import { recordCid } from '../records/record-json.js';
import type { AdmissionConfig, AdmitOptions } from './admission-config.js';
import type { AdmissionItem } from './admission-item.js';
import { AdmissionRows, type RowQuery } from './admission-rows.js';
import { agreementOf, wholeRows, withForeign } from './agreement.js';
import { ConflictCases, type Applying } from './conflict-cases.js';
import { RoundNotes } from './round-notes.js';
import { applyRows, type RowDone } from './row-applier.js';
import { verdictOf } from './verdict.js';

type KnownAccount = Pick<Repository, 'status' | 'rev' | 'collections'>;
type InFlight = ReadonlySet<string | null> | undefined;

/** One transaction of an admission. */
export class AdmissionRound {
  readonly notes = new RoundNotes();
  /** Evidence whose row another transaction holds; nothing was written for it. */
  readonly held: Evidence[] = [];
  private readonly rows: AdmissionRows;
  private readonly conflicts: ConflictCases;

  constructor(
    private readonly evidence: readonly Evidence[],
    private readonly config: AdmissionConfig,
    private readonly options: Pick<AdmitOptions, 'dryRun' | 'resolution'>,
    private readonly manager: EntityManager,
  ) {
    this.rows = new AdmissionRows(config.entities, manager);
    this.conflicts = new ConflictCases(config, options, this.notes, manager);
  }

  async run(): Promise<void> {
    if (this.evidence.length === 0) return;
    const tasks = await this.decide();
    if (this.options.dryRun) return this.foresee(tasks);
    await this.apply(tasks);
    await this.notes.write(this.config, this.manager.queryRunner!);
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
    // A settlement skips rows that are locked here, and leaves them for the next attempt.
    for (const { isDirty, inConflict, address } of known.values())
      if (isDirty && !inConflict) this.notes.wakes.add(address.did);
    const queries: RowQuery[] = [];
    for (const evidence of this.evidence) {
      const uri = atUri(evidence);
      if (this.isSuperseded(evidence, accounts.get(evidence.did))) continue;
      if (held.has(uri)) {
        this.held.push(evidence);
        continue;
      }
      const query = this.queryOf(evidence, known.get(uri));
      if (query && !this.endsWithoutRow(query, inFlight.get(uri))) queries.push(query);
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
    if (status === 'rewound') this.notes.end(evidence, 'dropped', { reason: REWOUND });
    else if (rev !== null && evidence.rev <= rev && collections.includes(evidence.collection))
      this.notes.end(evidence, 'unchanged');
    else return false;
    return true;
  }

  /** The class that evidence concerns; undefined where it ends here. */
  private queryOf(evidence: Evidence, known: KnownAddress | undefined): RowQuery | undefined {
    const { collection, rev, rkey } = evidence;
    const entity = (known && this.rows.classOf(known)) ?? this.rows.classesOf(collection)[0];
    const drop = (reason: string): undefined => void this.notes.end(evidence, 'dropped', { reason });
    if (!entity) return drop(`no mapper has the collection ${collection}`);
    if (!known && entity.authority === 'local') return drop(`${entity.name} does not follow its records`);
    if (isValidTid(rev) && isValidRecordKey(rkey)) return { evidence, entity, known };
    const problem = isValidTid(rev)
      ? `'${rkey}' is no record key`
      : `'${rev}' is no revision of a repository`;
    this.notes.reject({ evidence, entity, known }, new InvalidRecordError(`${problem}.`), false);
    return undefined;
  }

  /** Most evidence repeats what is known, and needs no look at the row. */
  private endsWithoutRow(query: RowQuery, inFlight: InFlight): boolean {
    const { evidence, entity, known } = query;
    // A write has seen something else than its row says, so the row has to be looked at.
    if (evidence.source === 'read-back') return false;
    const verdict = verdictOf(evidence, { known, rowCid: undefined, inFlight, authority: entity.authority });
    if (verdict === 'old') this.notes.end(evidence, 'unchanged');
    else if (verdict === 'echo') this.echo(query, inFlight);
    else return false;
    return true;
  }

  private echo(query: RowQuery, inFlight: InFlight): void {
    const { notes } = this;
    const { evidence, known } = query;
    notes.end(evidence, 'unchanged');
    if (!known) {
      // The deletion is remembered, so that a creation that is told late does not bring the record back.
      if (evidence.source === 'stream') notes.admit(query, 'clean', '', null);
      return;
    }
    if (known.inConflict && !inFlight?.has(evidence.cid)) {
      // The other side has taken its edit back.
      notes.admit(query, 'dirty', known.entityId, known.cid, known);
      notes.wakes.add(evidence.did);
    } else if (known.rev !== evidence.rev) notes.admit(query, 'seen', known.entityId, known.cid);
  }

  private async tasksOf(item: AdmissionItem, inFlight: InFlight): Promise<Applying[]> {
    const { notes } = this;
    const { evidence, entity, known, row } = item;
    const state = row && recordStateOf(row);
    const rowCid = state?.uri === item.uri ? state.cid : undefined;
    const verdict = verdictOf(evidence, { known, rowCid, inFlight, authority: entity.authority });
    if (verdict === 'old') notes.end(evidence, 'unchanged');
    else if (verdict === 'echo') await this.agree(item, rowCid, inFlight);
    else if (verdict === 'told') {
      notes.end(evidence, 'conflicted');
      notes.admit(item, 'seen', known?.entityId ?? '', known?.cid ?? null);
      notes.tellConflict(item, { local: undefined, remote: evidence.record ?? null });
    } else if (verdict === 'remove') return [{ item, record: null }];
    else {
      try {
        check(item);
        if (verdict === 'conflict') return await this.conflicts.decide(item);
        return [{ item, record: evidence.record ?? null }];
      } catch (error) {
        notes.reject(item, error as Error);
      }
    }
    return [];
  }

  /** The repository has what this application knows, and one of row and ledger may not say so. */
  private async agree(
    item: AdmissionItem,
    rowCid: string | null | undefined,
    inFlight: InFlight,
  ): Promise<void> {
    const { evidence, entity, known, row, rowId = '' } = item;
    const { cid, record } = evidence;
    if (rowCid !== undefined && rowCid !== cid && !inFlight?.has(cid)) await this.conflicts.writeCid(item);
    if (known || !row || cid === null || !record) return this.echo(item, inFlight);
    // The row is from before its changes were kept.
    this.notes.end(evidence, 'unchanged');
    this.notes.admit(item, 'clean', rowId, cid, await agreementOf(entity, row, record, cid));
  }

  private async apply(tasks: readonly Applying[]): Promise<void> {
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
      if (done && 'error' in done) this.notes.reject(task.item, done.error);
      else if (done) await this.applied(task, done, done.entity && (whole.get(done.entity) ?? done.entity));
    }
  }

  private async applied(task: Applying, done: RowDone, row: object | undefined): Promise<void> {
    const { notes } = this;
    const { item, record, ends } = task;
    const { evidence, entity, uri } = item;
    const { did, cid, live } = evidence;
    const { action, entityId } = done;
    notes.changedDids.add(did);
    if (ends) notes.tellResolved(item, ends.resolution, ends.sides);
    if (!record || cid === null || !row || (action !== 'created' && action !== 'updated'))
      return this.left(item, done);
    const agreement = await agreementOf(entity, row, record, cid);
    // A merged record differs from that of the repository, and is published.
    const isMerged =
      ends?.resolution === 'merged' &&
      withForeign((await entity.toRecord(row)).record, agreement.foreign, entity).cid !== cid;
    const base = agreement.base && (evidence.record ?? null);
    notes.admit(item, isMerged ? 'dirty' : 'clean', entityId, cid, { ...agreement, base });
    if (isMerged) notes.wakes.add(did);
    notes.end(evidence, ends ? 'conflicted' : action, { entity: row });
    const operation = action === 'created' ? 'create' : 'update';
    notes.events.push(new RecordApplied(did, uri, cid, operation, entity.name, entityId, row, live));
  }

  /** The row, if there was one, does not follow the record any more. */
  private left(item: AdmissionItem, { action, entity: row, entityId }: RowDone): void {
    const { notes } = this;
    const { evidence, entity, known, uri } = item;
    const { did, cid, live } = evidence;
    // A row that is still there comes back with its record.
    notes.admit(item, 'clean', action === 'soft-removed' || action === 'kept' ? entityId : '', cid);
    if (action === 'ignored')
      return notes.end(evidence, cid === null ? 'unchanged' : 'skipped', { reason: UNWANTED });
    notes.end(evidence, 'removed', { entity: row });
    const became = action === 'removed' || action === 'soft-removed' ? action : 'kept';
    const id = known?.entityId ?? entityId;
    notes.events.push(new RecordRemoved(did, uri, entity.name, id, row, became, live));
  }

  /** What {@link apply} would do, as far as that can be told without writing. */
  private foresee(tasks: readonly Applying[]): void {
    for (const { item, record, ends } of tasks) {
      const applied = item.row ? 'updated' : 'created';
      const gone = item.row ? 'removed' : 'unchanged';
      this.notes.end(item.evidence, ends ? 'conflicted' : record ? applied : gone, { entity: item.row });
    }
  }
}

/** @throws the reason why a record cannot be taken over */
function check({ evidence, entity }: AdmissionItem): void {
  const { cid, error, record, collection, source } = evidence;
  if (cid === null) return;
  if (error) throw error;
  const schema = entity.sync.onInvalid === 'reject' ? entity.mapper?.schema : undefined;
  // Other sources than streams have compared the CID with the bytes.
  if (source !== 'stream' && !schema) return;
  const actual = recordCid(record, collection, schema);
  if (source === 'stream' && actual !== cid)
    throw new InvalidRecordError(`The record does not have the CID ${cid} that it was told with.`);
}

const REWOUND = 'the repository went back to an earlier revision, so nothing is taken over from it';
const UNWANTED = 'fromRecord() gave null';
