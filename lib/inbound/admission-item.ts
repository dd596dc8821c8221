import type { SyncedEntity } from '../entities/synced-entity.js';
import type { Evidence } from '../model/evidence.js';
import type { KnownAddress } from '../pending/inbound.ledger.js';

/** Evidence of an address, with all that this application knows of it. */
export interface AdmissionItem {
  readonly evidence: Evidence;
  readonly uri: string;
  /** The class whose row has the address, or that would get a new row. */
  readonly entity: SyncedEntity;
  readonly known: KnownAddress | undefined;
  /** The row of the address, whole and locked; undefined without one. */
  readonly row: object | undefined;
  /** The primary key of `row`. */
  readonly rowId: string | undefined;
}

/** What became of evidence, as a report counts it. `dropped`: of an account or a collection nobody follows. */
export type AdmissionOutcome =
  'created' | 'updated' | 'unchanged' | 'removed' | 'skipped' | 'rejected' | 'conflicted' | 'dropped';

export interface AdmissionResult {
  readonly evidence: Evidence;
  readonly outcome: AdmissionOutcome;
  /** The entity of the record, where there is one. */
  readonly entity?: object | undefined;
  /** Why it was skipped, rejected or dropped. */
  readonly reason?: string | undefined;
}
