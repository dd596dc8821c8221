/** A record was deleted. `entity` is undefined where the row is gone. */
export class RecordUnpublished {
  static readonly event = 'parity.record.unpublished';

  constructor(
    readonly did: string,
    readonly uri: string,
    readonly entityName: string,
    readonly entityId: string,
    readonly entity: object | undefined,
  ) {}
}
