/** A record was not taken over. It is listed among the inbound dead letters. */
export class RecordRejected {
  static readonly event = 'parity.record.rejected';
  readonly origin = 'network';

  constructor(
    readonly did: string,
    readonly uri: string,
    readonly cid: string | null,
    readonly entityName: string,
    /** For people; has no content of the record. */
    readonly reason: string,
    readonly error: Error,
    readonly live: boolean,
  ) {}
}
