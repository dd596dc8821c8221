/** An account lost the session that it had (revoked, expired, signed out). */
export class SessionInvalidated {
  static readonly event = 'parity.session.invalidated';

  constructor(
    readonly did: string,
    readonly reason: string,
  ) {}
}
