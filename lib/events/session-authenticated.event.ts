/** An account signed in and its session is stored. */
export class SessionAuthenticated {
  static readonly event = 'parity.session.authenticated';

  constructor(readonly did: string) {}
}
