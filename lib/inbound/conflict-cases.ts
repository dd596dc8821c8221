import type { EntityManager } from 'typeorm';
import { runScript } from '../database/sql-script.js';
import { unpublished, writeRows } from '../entities/row-write.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import { recordStateOf } from '../metadata/record-state.js';
import type { RecordJson } from '../model/evidence.js';
import { toPending } from '../pending/change-entries.js';
import { newTid } from '../records/tid.js';
import type { AdmissionConfig, AdmitOptions, ForcedResolution } from './admission-config.js';
import type { AdmissionItem } from './admission-item.js';
import { agreementOf, NO_AGREEMENT, withForeign } from './agreement.js';
import { resolutionOf, type ConflictSides, type Resolution } from './conflict-choice.js';
import { foreignFields } from './foreign-fields.js';
import type { RoundNotes } from './round-notes.js';
import type { RowTask } from './row-applier.js';

/** A row that is to follow a record, and the conflict that ends with that. */
export interface Applying extends RowTask {
  readonly ends?: { readonly resolution: 'remote' | 'merged'; readonly sides: ConflictSides };
}

/** Decides on rows and records that were changed on both sides, in a round's transaction. */
export class ConflictCases {
  constructor(
    private readonly config: AdmissionConfig,
    private readonly options: Pick<AdmitOptions, 'dryRun' | 'resolution'>,
    private readonly notes: RoundNotes,
    private readonly manager: EntityManager,
  ) {}

  /**
   * @returns the row that is to follow a record; none where the row keeps what it has
   * @throws MapperError, InvalidRecordError where the application's code fails
   */
  async decide(item: AdmissionItem): Promise<Applying[]> {
    const { notes } = this;
    const { evidence, entity, known, row } = item;
    const { cid, record: remote = null } = evidence;
    const ours = await localRecord(item);
    if (ours && row && remote && ours.cid === cid) {
      notes.end(evidence, 'unchanged', { entity: row });
      notes.admit(item, 'clean', known?.entityId ?? '', cid, await agreementOf(entity, row, remote, cid));
      return [];
    }
    // What was changed here is not in the record.
    const isUnchanged = known?.cid != null && ours?.cid === (known.mapped ?? known.cid);
    if (isUnchanged && !known.inConflict) return [{ item, record: remote }];
    const sides = { local: ours?.record ?? null, remote, base: known?.base ?? null };
    const { resolution = await resolutionOf(item, sides, this.config.timeoutMs) } = this.options;
    return this.resolve(item, sides, resolution, ours?.cid ?? null);
  }

  /** Row and repository agree, and only the record columns do not say so. */
  async writeCid({ entity, rowId = '', evidence }: AdmissionItem): Promise<void> {
    if (this.options.dryRun) return;
    const write = { id: rowId, set: { cid: evidence.cid }, was: {} };
    await runScript(writeRows(entity, [write]), this.manager.queryRunner!);
    this.notes.changedDids.add(evidence.did);
  }

  private async resolve(
    item: AdmissionItem,
    sides: ConflictSides,
    resolution: Resolution | ForcedResolution,
    localCid: string | null,
  ): Promise<Applying[]> {
    switch (resolution.side) {
      case 'manual':
        this.notes.openConflict(item, sides);
        return [];
      case 'local':
        await this.keepLocal(item, sides);
        return [];
      case 'dismissed':
        await this.dismiss(item, sides, localCid);
        return [];
      case 'merged': {
        const record = { ...sides.remote, ...resolution.record };
        return [{ item, record, ends: { resolution: 'merged', sides } }];
      }
      default:
        return [{ item, record: sides.remote, ends: { resolution: 'remote', sides } }];
    }
  }

  /** The local change goes on, on top of what is in the repository by now. */
  private async keepLocal(item: AdmissionItem, sides: ConflictSides): Promise<void> {
    const { notes } = this;
    const { evidence, entity, known, row, rowId = '' } = item;
    const { did, cid, record: base = null } = evidence;
    notes.end(evidence, 'conflicted', { entity: row });
    notes.tellResolved(item, 'local', sides);
    notes.changedDids.add(did);
    notes.wakes.add(did);
    if (cid === null && row && !entity.hasFixedRkey) {
      const rkey = newTid();
      await this.clear(item, rkey);
      notes.admit(item, 'clean', '', null);
      // The record is published again, under a key that no delete has used.
      notes.captures.push(toPending({ ...publishing(entity, rowId), address: { ...evidence, rkey } }));
      return;
    }
    if (row && recordStateOf(row).uri === item.uri) await this.writeCid(item);
    const foreign = this.foreignOf(item, sides);
    notes.admit(item, 'dirty', known?.entityId ?? rowId, cid, { mapped: null, foreign, base });
  }

  /** The row is published when it changes next; until then it counts as agreed, although it differs. */
  private async dismiss(item: AdmissionItem, sides: ConflictSides, localCid: string | null): Promise<void> {
    const { notes } = this;
    const { evidence, entity, known, row, rowId = '' } = item;
    const { did, cid, record: base = null } = evidence;
    if (row && cid === null) await this.clear(item, entity.hasFixedRkey ? null : newTid());
    else if (row && recordStateOf(row).uri === item.uri) await this.writeCid(item);
    const agreement = { mapped: localCid, foreign: this.foreignOf(item, sides), base };
    const entityId = known?.entityId ?? rowId;
    notes.admit(item, 'clean', entityId, cid, cid === null ? NO_AGREEMENT : agreement);
    notes.end(evidence, 'conflicted', { entity: row });
    notes.tellResolved(item, 'dismissed', sides);
    notes.changedDids.add(did);
  }

  /** The row has no record any more. */
  private async clear({ entity, row, rowId = '' }: AdmissionItem, next: string | null): Promise<void> {
    if (this.options.dryRun || !row) return;
    const write = unpublished(rowId, recordStateOf(row), next);
    await runScript(writeRows(entity, [write]), this.manager.queryRunner!);
    entity.show(row, { uri: null, cid: null, ...(next !== null && { rkey: next }) });
  }

  /** What the record of the other side has of other applications; ours has what was foreign before. */
  private foreignOf({ entity, known }: AdmissionItem, { local, remote }: ConflictSides): RecordJson | null {
    const { mapper } = entity;
    if (!local || !remote || !mapper) return null;
    const before = known?.foreign ?? {};
    const ours = Object.entries(local).filter(([field]) => !Object.hasOwn(before, field));
    return foreignFields(remote, Object.fromEntries(ours), mapper);
  }
}

/** The record that the local change asks for; null if it asks for none. */
async function localRecord({
  entity,
  known,
  row,
}: AdmissionItem): Promise<{ readonly record: RecordJson; readonly cid: string } | null> {
  if (!row || known?.isLeaving) return null;
  return withForeign((await entity.toRecord(row)).record, known?.foreign ?? null, entity);
}

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
