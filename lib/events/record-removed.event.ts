/** A row has lost its record: another application has deleted it, or it is no longer for this application. */
export class RecordRemoved {
  static readonly event = 'parity.record.removed';
  readonly origin = 'network';

  constructor(
    readonly did: string,
    readonly uri: string,
    readonly entityName: string,
    readonly entityId: string,
    /** As it was; undefined where there was no row. */
    readonly entity: object | undefined,
    /** What `whenRecordDeleted` made of the row. */
    readonly row: 'removed' | 'soft-removed' | 'kept',
    readonly live: boolean,
  ) {}
}
