/** A row was written because of its record: another application has created or changed it. */
export class RecordApplied {
  static readonly event = 'parity.record.applied';
  readonly origin = 'network';

  constructor(
    readonly did: string,
    readonly uri: string,
    readonly cid: string,
    /** Of the row. */
    readonly operation: 'create' | 'update',
    readonly entityName: string,
    readonly entityId: string,
    readonly entity: object,
    /** The record was written just now; false for one that an import has found. */
    readonly live: boolean,
  ) {}
}
