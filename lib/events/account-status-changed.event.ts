/** An account was deactivated, suspended, taken down or deleted, or is active again. */
export class AccountStatusChanged {
  static readonly event = 'parity.account.status-changed';

  constructor(
    readonly did: string,
    readonly status: 'active' | 'deactivated' | 'suspended' | 'takendown' | 'deleted' | 'rewound',
    readonly before: 'active' | 'deactivated' | 'suspended' | 'takendown' | 'deleted' | 'rewound',
  ) {}
}
