import type { ParityError } from '../errors/parity.error.js';
import type { ParityEvents } from '../events/parity-events.js';
import { RecordPublished } from '../events/record-published.event.js';
import { RecordUnpublished } from '../events/record-unpublished.event.js';
import { recordStateOf } from '../metadata/record-state.js';
import { atUri } from '../model/address.js';
import { SyncResult } from '../model/sync-result.js';
import { classifyLocalFailure } from '../pds/failure.js';
import type { Failure } from '../pds/failure-kinds.js';
import type { RecordWrite } from '../pds/repository-writer.js';
import type { Change } from './change.js';
import type { Target } from './target.js';

/** What became of one change. */
export interface Outcome {
  readonly change: Change;
  readonly result: SyncResult;
  /** The classified error of a failed result. */
  readonly failure?: Failure;
  /** The entity as it is now: the caller's instance, or the row; undefined once the row is gone. */
  readonly entity: object | undefined;
  /** Whatever is at the address was left as it is, without looking. */
  readonly isLeft?: boolean;
  /** What becomes of the change is decided elsewhere, so it stays pending as it is. */
  readonly isDeferred?: boolean;
  /** What the change asks for at the address that its entity has by now. */
  readonly elsewhere?: readonly Change[];
}

/** @param shared the error concerns other changes as well, so it names none of them */
export function failedOutcome(
  change: Change,
  error: unknown,
  entity: object | undefined,
  shared = false,
): Outcome {
  const { did } = change.address;
  const failure = classifyLocalFailure(error, { did });
  const {
    entity: { name: entityName },
    entityId,
  } = change;
  failure.error.about(shared ? { did } : { did, uri: atUri(change.address), entityName, entityId });
  return {
    change,
    failure,
    result: new SyncResult('failed', { error: failure.error }),
    entity: change.instance ?? entity,
  };
}

/**
 * The PDS has what it should have, but the row does not say so yet. A row that another transaction holds is
 * written soon, so that is reported as pending and not as failed.
 */
export function unsettledOutcome({ change, row, uri }: Target, error: ParityError): Outcome {
  const outcome = failedOutcome(change, error, row);
  if (outcome.failure?.kind !== 'later') return outcome;
  return { ...outcome, result: new SyncResult('pending', { reason: error.message, uri }) };
}

/**
 * The outcome of a change that needs no request; null if it may need one.
 *
 * @param inDoubt an earlier request may have changed the address, or still may
 */
export function outcomeWithoutWrite(target: Target, inDoubt: boolean): Outcome | null {
  const { change, desired, known, row, uri } = target;
  const entity = row && (change.instance ?? row);
  if (desired.kind === 'failed') return failedOutcome(change, desired.error, row);
  if (desired.kind === 'as-is')
    return { change, result: new SyncResult('skipped', { reason: desired.reason }), entity, isLeft: true };
  if (inDoubt || target.spent) return null;
  // A row that does not name its record yet still has to be written.
  const isTold = row && recordStateOf(row).uri === uri;
  if (desired.kind === 'record' && known === desired.prepared.cid && isTold) {
    return { change, result: new SyncResult('unchanged', { uri, cid: known }), entity };
  }
  if (desired.kind === 'absent' && known === null) return { ...goneOutcome(target, 'unchanged'), entity };
  return null;
}

/**
 * The outcome of a settled target, which is also emitted as an event.
 *
 * @param action undefined if nothing had to be written any more
 */
export function settledOutcome(
  target: Target,
  action: RecordWrite['action'] | undefined,
  events: ParityEvents,
): Outcome {
  const { change, uri, row, desired, known, left } = target;
  const { entity, entityId, address } = change;
  const instance = row && (change.instance ?? row);
  if (desired.kind === 'record') {
    const { cid } = desired.prepared;
    const told = { change, entity: instance, ...(left && { elsewhere: [left] }) };
    if (!action && known === cid) return { ...told, result: new SyncResult('unchanged', { uri, cid }) };
    // Nothing was written now, but the row learns of it only now: an earlier request had landed.
    const operation = action === 'create' || (!action && known === null) ? 'create' : 'update';
    events.emit(new RecordPublished(address.did, uri, cid, operation, entity.name, entityId, instance ?? {}));
    return { ...told, result: new SyncResult('published', { uri, cid }) };
  }
  if (!action && known === null) return { ...goneOutcome(target, 'unchanged'), entity: instance };
  events.emit(new RecordUnpublished(address.did, uri, entity.name, entityId, instance));
  return { ...goneOutcome(target, 'unpublished', uri), entity: instance };
}

/**
 * The outcome of an address without a record. What the entity asks for elsewhere is still to be done. An
 * entity that is not eligible, and never had a record, is skipped.
 */
function goneOutcome(
  { change, desired, elsewhere }: Target,
  status: 'unchanged' | 'unpublished',
  uri?: string,
): Pick<Outcome, 'change' | 'result' | 'elsewhere'> {
  const reason = desired.kind === 'absent' ? desired.reason : undefined;
  const isSkipped = status === 'unchanged' && reason !== undefined;
  const result = elsewhere
    ? new SyncResult('pending', {
        reason: 'its entity has another address by now',
        uri: atUri(elsewhere.address),
      })
    : new SyncResult(isSkipped ? 'skipped' : status, isSkipped ? { reason } : { uri });
  return { change, result, ...(elsewhere && { elsewhere: [elsewhere] }) };
}
