import type { ParityEvents } from '../events/parity-events.js';
import { SyncFailed } from '../events/sync-failed.event.js';
import { atUri, parseAtUri } from '../model/address.js';
import type { Change } from './change.js';
import type { Outcome } from './outcome.js';

/** Reports failed syncs in the log, and as events. */
export class FailureReports {
  constructor(
    private readonly events: ParityEvents,
    private readonly log: { error(message: string): void },
  ) {}

  outcome(
    { change, result, entity }: Pick<Outcome, 'change' | 'result' | 'entity'>,
    willRetry: boolean,
  ): void {
    if (result.error) this.failed(change, atUri(change.address), result.error, willRetry, entity);
  }

  /** @param uri undefined if the address could not be determined */
  failed(
    { entity, entityId, operation }: Pick<Change, 'entity' | 'entityId' | 'operation'>,
    uri: string | undefined,
    error: Error,
    willRetry: boolean,
    instance: object | undefined,
  ): void {
    this.log.error(`${operation} of ${entity.name} ${entityId} failed: ${error.message}`);
    const did = parseAtUri(uri)?.did;
    this.events.emit(new SyncFailed(did, uri, operation, error, willRetry, entity.name, entityId, instance));
  }
}
