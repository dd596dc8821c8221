/** The records of an account were imported, or were found unchanged. */
export class AccountImported {
  static readonly event = 'parity.account.imported';

  constructor(
    readonly did: string,
    /** See `ParityService.import`. */
    readonly report: object,
  ) {}
}
