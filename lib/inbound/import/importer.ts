import type { SyncedEntities } from '../../entities/synced-entities.js';
import { ParityOptionsError } from '../../errors/parity-options.error.js';
import { reasonOf } from '../../errors/reason-of.js';
import { RetryLaterError } from '../../errors/retry-later.error.js';
import { AccountImported } from '../../events/account-imported.event.js';
import type { ParityEvents } from '../../events/parity-events.js';
import type { Evidence } from '../../model/evidence.js';
import type { RepositoryReading } from '../../pds/reading/reading.js';
import type { RepositoryReader } from '../../pds/reading/repository.reader.js';
import type { InboundLedger } from '../../pending/inbound.ledger.js';
import type {
  ImportCounts,
  ImportLease,
  Repository,
  RepositoryStore,
} from '../../pending/repository.store.js';
import { backoff, soon } from '../../runtime/backoff.js';
import type { AccountFilter } from '../account-filter.js';
import type { AccountLife } from '../account-life.js';
import type { Admission } from '../admission.js';
import type { AdmissionOutcome } from '../admission-item.js';
import { Absences } from './absences.js';
import { NO_COUNTS, type ImportOptions, type ImportReport } from './import-report.js';

export interface ImporterConfig {
  readonly admission: Admission;
  readonly ledger: InboundLedger;
  readonly repositories: RepositoryStore;
  readonly reader: RepositoryReader;
  readonly accounts: AccountFilter;
  readonly life: AccountLife;
  readonly entities: SyncedEntities;
  readonly events: ParityEvents;
}

/** Records that are admitted together. */
const BATCH = 500;
/** How long an import may go without a batch before another process can take it over, in ms. */
const LEASE = 120_000;
/** The longest time after a failed import until the next one, in ms. */
const LONGEST_PAUSE = 3_600_000;

/** Imports the records of accounts, from the repository at their own PDS. */
export class Importer {
  constructor(private readonly config: ImporterConfig) {}

  /**
   * Makes rows and ledger agree with the repository of an account, as of its present revision. An unchanged
   * repository costs one request. One process imports an account at a time.
   *
   * @throws ParityOptionsError for an account that is not followed
   * @throws RetryLaterError while another process imports it
   * @throws IdentityError, PdsUnavailableError, RateLimitedError, RepositoryUnreadableError where it cannot be
   *   read
   */
  async import(did: string, options: ImportOptions = {}): Promise<ImportReport> {
    const { accounts, repositories, events } = this.config;
    if (!(await accounts.followsNamed(did)))
      throw new ParityOptionsError(
        `${did} is not followed: let it sign in, or name it in inbound.accounts.`,
        { did },
      );
    if (options.dryRun) return this.read(did, options, null);
    const lease = await repositories.leaseImport(did, LEASE);
    if (!lease) {
      throw new RetryLaterError(`${did} is being imported.`, { did, retryAt: soon() });
    }
    try {
      const report = await this.read(did, options, lease);
      events.emit(new AccountImported(did, report));
      return report;
    } catch (error) {
      const known = await repositories.find(did);
      const failures = (known?.failures ?? 0) + 1;
      const retryAt = new Date(Date.now() + backoff(failures, LONGEST_PAUSE));
      await repositories.endImport(lease, { error: reasonOf(error), retryAt });
      throw error;
    }
  }

  private async read(did: string, options: ImportOptions, lease: ImportLease | null): Promise<ImportReport> {
    const { reader, repositories, life } = this.config;
    const { signal, collections, dryRun = false } = options;
    const known = await repositories.find(did);
    const latest = await reader.latestCommit(did, { signal });
    const report = { did, ...NO_COUNTS, rev: null, isUnchanged: false, dryRun };
    if (latest.status !== 'active') return this.inactive(report, latest.status, lease);
    if (known?.rev && latest.rev < known.rev && !dryRun) {
      await life.rewound(did);
      return this.inactive(report, 'rewound', lease);
    }
    if (!dryRun) await life.active(did);
    const wanted = collections ?? this.collections();
    const isImported = known?.rev === latest.rev && wanted.every((one) => known.collections.includes(one));
    if (known && isImported && !collections) {
      const counts = { ...NO_COUNTS, unchanged: known.counts ? sum(known.counts) : 0 };
      if (lease)
        await repositories.endImport(lease, {
          rev: latest.rev,
          collections: known.collections,
          counts: known.counts ?? counts,
        });
      return { ...report, ...counts, status: 'active', rev: latest.rev, isUnchanged: true };
    }
    let bytes = 0;
    const tally = new Tally((counts) => options.onProgress?.({ did, ...counts, bytes }));
    const onBytes = (now: number): void => {
      bytes = now;
      tally.tell();
    };
    await using reading = await reader.repository(did, { collections: wanted, signal, onBytes });
    if (reading.status !== 'active') return this.inactive(report, reading.status, lease);
    await this.admit(did, reading, wanted, tally, options, lease);
    const { counts } = tally;
    if (lease) {
      // Only all collections together, and whole, make the revision one that was imported.
      const isAll = !collections && reading.isWhole;
      const rev = isAll ? reading.rev : (known?.rev ?? null);
      await repositories.endImport(lease, {
        rev,
        collections: isAll ? wanted : (known?.collections ?? []),
        counts,
      });
    }
    return { ...report, ...counts, status: 'active', rev: reading.rev };
  }

  private async admit(
    did: string,
    reading: RepositoryReading,
    wanted: readonly string[],
    tally: Tally,
    options: ImportOptions,
    lease: ImportLease | null,
  ): Promise<void> {
    const { rev } = reading;
    const absences = new Map(
      wanted.map((collection) => [collection, new Absences(this.config.ledger, { did, collection, rev })]),
    );
    const absent: Evidence[] = [];
    let batch: Evidence[] = [];
    const flush = async (): Promise<void> => {
      const some = batch;
      batch = [];
      await this.admitBatch(some, tally, options, lease);
    };
    for await (const one of reading.records) {
      const { collection, rkey, cid } = one;
      if (reading.isWhole) absent.push(...((await absences.get(collection)?.before(rkey)) ?? []));
      // An address that is none can be kept nowhere.
      if ('error' in one && one.error.reason === 'key') tally.add('rejected');
      else {
        const content = 'error' in one ? { error: one.error } : { record: one.record };
        batch.push({ did, collection, rkey, rev, cid, ...content, source: 'import', live: false });
      }
      if (batch.length >= BATCH) await flush();
    }
    await flush();
    // Only now it is certain that the snapshot lacks them.
    if (reading.isWhole) for (const each of absences.values()) absent.push(...(await each.rest()));
    for (let at = 0; at < absent.length; at += BATCH)
      await this.admitBatch(absent.slice(at, at + BATCH), tally, options, lease);
  }

  private async admitBatch(
    batch: readonly Evidence[],
    tally: Tally,
    { dryRun = false, signal }: ImportOptions,
    lease: ImportLease | null,
  ): Promise<void> {
    if (batch.length === 0) return;
    signal?.throwIfAborted();
    const { admission, repositories } = this.config;
    const results = await admission.admit(batch, { dryRun, ...(signal && { signal }) });
    for (const { outcome } of results) tally.add(outcome);
    tally.tell();
    const [{ did }] = batch as [Evidence];
    if (lease && !(await repositories.extendImport(lease, LEASE)))
      throw new RetryLaterError(`Another process has taken over the import of ${did}.`, {
        did,
        retryAt: soon(),
      });
  }

  private async inactive(
    report: Omit<ImportReport, 'status'>,
    status: Exclude<Repository['status'], 'active'>,
    lease: ImportLease | null,
  ): Promise<ImportReport> {
    const { life, repositories } = this.config;
    if (lease) {
      if (status !== 'rewound') await life.inactive(report.did, status);
      await repositories.endImport(lease, { error: `the account is ${status}`, retryAt: null });
    }
    return { ...report, status };
  }

  /** The collections of all mappers whose classes have records that are watched. */
  private collections(): string[] {
    const all = this.config.entities.all().flatMap(({ mapper }) => mapper?.collection ?? []);
    return [...new Set(all)].toSorted();
  }
}

const sum = (counts: ImportCounts): number =>
  counts.created + counts.updated + counts.unchanged + counts.conflicted;

class Tally {
  private readonly numbers: Record<keyof ImportCounts, number> = { ...NO_COUNTS };

  constructor(private readonly onProgress: (counts: ImportCounts) => void) {}

  get counts(): ImportCounts {
    return { ...this.numbers };
  }

  add(outcome: AdmissionOutcome): void {
    if (outcome !== 'dropped') this.numbers[outcome] += 1;
  }

  tell(): void {
    this.onProgress(this.counts);
  }
}
