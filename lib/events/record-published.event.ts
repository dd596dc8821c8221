/** A record was created or updated. */
export class RecordPublished {
  static readonly event = 'parity.record.published';

  constructor(
    readonly did: string,
    readonly uri: string,
    readonly cid: string,
    readonly operation: 'create' | 'update',
    readonly entityName: string,
    readonly entityId: string,
    readonly entity: object,
  ) {}
}
