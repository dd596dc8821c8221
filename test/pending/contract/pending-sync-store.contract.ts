import type { ContractCase } from './contract-case.js';
import { accountCases } from './pending-sync-store/account.cases.js';
import { backlogCases } from './pending-sync-store/backlog.cases.js';
import { backfillCases } from './pending-sync-store/backfill.cases.js';
import { byHandCases } from './pending-sync-store/by-hand.cases.js';
import { captureCases } from './pending-sync-store/capture.cases.js';
import { cleanupCases } from './pending-sync-store/cleanup.cases.js';
import { enterCases } from './pending-sync-store/enter.cases.js';
import { laneCases } from './pending-sync-store/lane.cases.js';
import { leftCases } from './pending-sync-store/left.cases.js';
import { leaseCases } from './pending-sync-store/lease.cases.js';
import { transactionCases } from './pending-sync-store/transaction.cases.js';
import { tryCases } from './pending-sync-store/try.cases.js';
import { memoryCases, viewCases } from './pending-sync-store/view.cases.js';
import { unlessSettledCases } from './pending-sync-store/unless-settled.cases.js';

export interface PendingSyncStoreContractOptions {
  /**
   * How many milliseconds a lease, a backoff and a ttl last where a case lets them end. Default 60000, for
   * subjects with {@link ContractSubject.pass}; some 250 where the cases have to wait for real.
   */
  readonly span?: number;
  /**
   * Adds the cases of stores that join the entity's transaction and remember settled entries. Their subjects
   * have {@link ContractSubject.transaction}.
   */
  readonly durable?: boolean;
}

/**
 * What every `PendingSyncStore` has to do, for any test runner:
 * `it.each(pendingSyncStoreContract())('$name', ({ run }) => run(open))`.
 */
export function pendingSyncStoreContract({
  span = 60_000,
  durable = false,
}: PendingSyncStoreContractOptions = {}): ContractCase[] {
  return [
    ...captureCases(),
    ...byHandCases(),
    ...unlessSettledCases(),
    ...tryCases(span),
    ...leaseCases(span),
    ...enterCases(span),
    ...laneCases(span),
    ...backlogCases(),
    ...backfillCases(span),
    ...leftCases(),
    ...accountCases(),
    ...cleanupCases(span),
    ...viewCases(),
    ...(durable ? [...transactionCases(), ...memoryCases()] : []),
  ];
}
