import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager } from 'typeorm';
import { capabilitiesOf } from '../database/capabilities.js';
import { onCommittedData } from '../database/committed-data.js';
import { isPassingFailure } from '../database/database-failure.js';
import { AuthenticationError } from '../errors/authentication.error.js';
import { RetryLaterError } from '../errors/retry-later.error.js';
import { reasonOf } from '../errors/reason-of.js';
import { atUri } from '../model/address.js';
import type { Evidence } from '../model/evidence.js';
import { KeyedQueue } from '../runtime/keyed-queue.js';
import { duringAdmission } from '../sync/network-writes.js';
import type { AdmissionConfig, AdmitOptions } from './admission-config.js';
import type { AdmissionResult } from './admission-item.js';
import { AdmissionRound } from './admission-round.js';

/** Pauses in ms between two looks at rows that other transactions hold; the last one is repeated. */
const PAUSES = [10, 50, 100, 250, 500, 1_000, 2_000];
/** How often a transaction that failed for a passing reason is done again at once. */
const ATTEMPTS = 3;

/**
 * The one door through which everything that is learned of repositories reaches rows and ledger. Evidence is
 * applied, in conflict, rejected with a reason, or provably old: it has no other outcome.
 */
export class Admission {
  private readonly queue = new KeyedQueue();

  constructor(private readonly config: AdmissionConfig) {}

  /**
   * Decides on evidence, writes what follows from it in as few transactions as possible, and tells listeners.
   *
   * @returns one result for each evidence, in their order
   * @throws what the database throws where it is away; nothing is lost, as the same evidence can be given again
   */
  async admit(evidence: readonly Evidence[], options: AdmitOptions = {}): Promise<AdmissionResult[]> {
    // On a shared connection, two transactions at once would be one.
    return capabilitiesOf(this.config.dataSource).sharesConnection
      ? this.queue.run('', () => this.admitAll(evidence, options))
      : this.admitAll(evidence, options);
  }

  private async admitAll(evidence: readonly Evidence[], options: AdmitOptions): Promise<AdmissionResult[]> {
    const results = new Map<Evidence, AdmissionResult>();
    const followed = await this.followed(evidence, results);
    let open: readonly Evidence[] = newest(followed, results);
    for (let pause = 0; open.length > 0 || (pause === 0 && options.keep); pause++) {
      if (pause > 0)
        await sleep(PAUSES[Math.min(pause, PAUSES.length) - 1], undefined, { signal: options.signal });
      open = await this.round(open, options, results);
    }
    return evidence.map((one) => results.get(one) ?? { evidence: one, outcome: 'unchanged' });
  }

  private async followed(
    evidence: readonly Evidence[],
    results: Map<Evidence, AdmissionResult>,
  ): Promise<Evidence[]> {
    const follows = new Map<string, boolean>();
    for (const { did } of evidence) if (!follows.has(did)) follows.set(did, await this.config.follows(did));
    const reason = 'the account is not followed (inbound.accounts)';
    return evidence.filter((one) => {
      if (follows.get(one.did)) return true;
      results.set(one, { evidence: one, outcome: 'dropped', reason });
      return false;
    });
  }

  /** @returns the evidence whose rows another transaction holds */
  private async round(
    evidence: readonly Evidence[],
    options: AdmitOptions,
    results: Map<Evidence, AdmissionResult>,
  ): Promise<readonly Evidence[]> {
    const round = await this.committed(evidence, options);
    const { notes } = round;
    for (const result of notes.results) results.set(result.evidence, result);
    const { events, versions, changes, notify, log } = this.config;
    for (const did of notes.changedDids) versions.raise(did);
    for (const event of notes.events) events.emit(event);
    if (notes.wakes.size > 0) {
      // A lane that could not be woken is found by the sweep.
      for (const did of notes.wakes)
        await changes
          .wake(did)
          .catch((error: unknown) => log.warn(`Waking ${did} failed: ${reasonOf(error)}`));
      notify();
    }
    return round.held;
  }

  private async committed(evidence: readonly Evidence[], options: AdmitOptions): Promise<AdmissionRound> {
    for (let attempt = 1; ; attempt++) {
      let round: AdmissionRound | undefined;
      try {
        await this.inTransaction(options, async (manager) => {
          round = new AdmissionRound(evidence, this.config, options, manager);
          await round.run();
          if (round.held.length === 0 && !options.dryRun) await options.keep?.(manager.queryRunner!);
        });
        return round!;
      } catch (error) {
        // It is committed; what afterApply() saved is pending until its account signs in.
        if (error instanceof AuthenticationError && round) return round;
        const passes = error instanceof RetryLaterError || isPassingFailure(error);
        if (attempt >= ATTEMPTS || !passes) throw error;
        await sleep(20 * attempt);
      }
    }
  }

  private inTransaction(
    { own }: AdmitOptions,
    work: (manager: EntityManager) => Promise<void>,
  ): Promise<void> {
    return onCommittedData(this.config.dataSource, own?.(), (runner) =>
      duringAdmission(() => runner.manager.transaction(work)),
    );
  }
}

/** Of several pieces of evidence for one address only the newest counts. */
function newest(evidence: readonly Evidence[], results: Map<Evidence, AdmissionResult>): Evidence[] {
  const last = new Map<string, Evidence>();
  for (const one of evidence) {
    const uri = atUri(one);
    const before = last.get(uri);
    if (before && before.rev > one.rev) results.set(one, { evidence: one, outcome: 'unchanged' });
    else {
      if (before) results.set(before, { evidence: before, outcome: 'unchanged' });
      last.set(uri, one);
    }
  }
  return [...last.values()];
}
