/** A source has told nothing for longer than usual, although it is connected. */
export class InboundStalled {
  static readonly event = 'parity.inbound.stalled';

  constructor(
    /** The name of the source. */
    readonly source: string,
    /** When it told something last. */
    readonly since: Date,
  ) {}
}
