import { setTimeout as sleep } from 'node:timers/promises';
import { reasonOf } from '../../errors/reason-of.js';
import { InboundStalled } from '../../events/inbound-stalled.event.js';
import type { ParityEvents } from '../../events/parity-events.js';
import type { Evidence } from '../../model/evidence.js';
import type { RepositoryStore, SourceCursorStore, SourceLease } from '../../pending/repository.store.js';
import { backoff } from '../../runtime/backoff.js';
import { within } from '../../runtime/within.js';
import type { AccountFilter } from '../account-filter.js';
import type { Admission } from '../admission.js';
import type { RecordSource, SourceBatch, SourceEvent } from '../sources/record-source.js';
import type { AccountEvents } from './account-events.js';
import { SilenceWatch } from './silence.watch.js';

export interface StreamRunnerConfig {
  readonly source: RecordSource;
  readonly cursors: SourceCursorStore;
  readonly repositories: RepositoryStore;
  readonly accounts: AccountFilter;
  readonly admission: Admission;
  readonly accountEvents: AccountEvents;
  readonly events: ParityEvents;
  /** NSIDs. */
  readonly collections: () => readonly string[];
  /** Tells the import loop that imports may be due. */
  readonly notify: () => void;
  /** How long a shutdown waits for the batch under way, in ms. */
  readonly drainLimit: number;
  readonly log: { log(message: string): void; warn(message: string): void };
}

/** How long a process has a source, in ms, unless it asks for more. */
const LEASE = 30_000;
/** Milliseconds between two looks at the lease, at the accounts, and at the silence of the source. */
const CHECKS = 5_000;
/** The longest pause after a failure, in ms. */
const LONGEST_PAUSE = 60_000;

/** The source is to be opened again, for other accounts. */
class AccountsChanged extends Error {}

/**
 * Reads a source for as long as the application runs, while no other process does. The position moves in the
 * transaction that commits the effects of its batch.
 */
export class StreamRunner {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  /** The accounts that were followed when they were looked at last. */
  private followed: ReadonlySet<string> | undefined;
  /** Accounts that are followed by now, and whose events were not heard so far. */
  private readonly unheard: string[] = [];

  constructor(private readonly config: StreamRunnerConfig) {
    const { source, log } = config;
    source.onSkipped = (reason) => log.warn(`${source.name}: skipped what cannot be read: ${reason}`);
    source.onInterrupted = (reason) => log.warn(`${source.name}: ${reason}`);
  }

  start(): void {
    this.running ??= this.run();
  }

  /** What was not acknowledged is told again at the next start. */
  async stop(): Promise<void> {
    this.stopping.abort(new Error('the application shuts down'));
    if (this.running) await within(this.config.drainLimit, this.running);
  }

  private async run(): Promise<void> {
    const { source, cursors, log } = this.config;
    const { signal } = this.stopping;
    for (let failures = 0; !signal.aborted;) {
      let lease: SourceLease | null = null;
      try {
        lease = await cursors.lease(source.name, LEASE);
        if (lease) {
          await this.read(lease, () => (failures = 0));
          failures += 1;
        }
      } catch (error) {
        if (signal.aborted) break;
        if (!(error instanceof AccountsChanged)) {
          failures += 1;
          log.warn(`${source.name}: reading failed: ${reasonOf(error)}`);
        }
      } finally {
        if (lease) await cursors.release(lease).catch(() => undefined);
      }
      const pause = failures > 0 ? backoff(failures, LONGEST_PAUSE) : lease ? 0 : CHECKS;
      await sleep(pause, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  private async read(lease: SourceLease, onProgress: () => void): Promise<void> {
    const { source, cursors, repositories, accounts, collections, notify } = this.config;
    const ending = new AbortController();
    const signal = AbortSignal.any([this.stopping.signal, ending.signal]);
    const silence = new SilenceWatch();
    const { cursor } = await cursors.cursor(source.name);
    const dids = await accounts.list();
    this.followed = dids ? new Set(dids) : undefined;
    let isFirst = true;
    accounts.onChanged = () => void this.check(lease, silence, ending);
    const checks = setInterval(() => void this.check(lease, silence, ending), CHECKS).unref();
    try {
      const open = {
        cursor,
        accounts: source.filtersAccounts ? dids : null,
        collections: collections(),
        signal,
      };
      for await (const batch of source.open(open)) {
        silence.heard();
        await this.take(batch, lease, signal);
        onProgress();
        if (isFirst) {
          // Nothing is missed from now on; what happened before is imported.
          const unheard = this.unheard.splice(0);
          if (cursor === null) await repositories.importDue('all');
          await repositories.importDue(cursor === null ? (dids ?? unheard) : unheard);
          notify();
          isFirst = false;
        }
      }
      // A source that is told to end may end without an error.
      ending.signal.throwIfAborted();
    } catch (error) {
      throw ending.signal.aborted ? ending.signal.reason : error;
    } finally {
      clearInterval(checks);
      accounts.onChanged = undefined;
    }
  }

  /** Admits the events of a batch in their order, and keeps the position with the last of them. */
  private async take(
    { events, cursor }: SourceBatch,
    lease: SourceLease,
    signal: AbortSignal,
  ): Promise<void> {
    const { admission, accountEvents, cursors, notify } = this.config;
    let evidence: Evidence[] = [];
    let isHint = false;
    for (const event of events) {
      if (event.kind === 'record') {
        evidence.push(evidenceOf(event));
        continue;
      }
      if (evidence.length > 0) await admission.admit(evidence, { signal });
      evidence = [];
      await accountEvents.take(event);
      isHint = true;
    }
    await admission.admit(evidence, {
      signal,
      ...(cursor !== null && { keep: (runner) => cursors.keep(lease, cursor, runner) }),
    });
    if (isHint) notify();
  }

  private async check(lease: SourceLease, silence: SilenceWatch, ending: AbortController): Promise<void> {
    const { cursors, events, source } = this.config;
    const since = silence.stalledSince();
    if (since) events.emit(new InboundStalled(source.name, since));
    try {
      if (!(await cursors.extend(lease, LEASE))) ending.abort(new Error('another process reads the source'));
      else if ((await this.newlyFollowed()) && source.filtersAccounts) ending.abort(new AccountsChanged());
    } catch (error) {
      ending.abort(error);
    }
  }

  /** Whether accounts are followed by now that were not at the last look. They are imported once they are heard. */
  private async newlyFollowed(): Promise<boolean> {
    const { source, accounts, repositories, notify } = this.config;
    const dids = await accounts.list();
    if (!dids) return false;
    const fresh = dids.filter((did) => !this.followed?.has(did));
    if (fresh.length === 0) return false;
    this.followed = new Set(dids);
    if (source.filtersAccounts) this.unheard.push(...fresh);
    else {
      await repositories.importDue(fresh);
      notify();
    }
    return true;
  }
}

const evidenceOf = (event: SourceEvent & { kind: 'record' }): Evidence => {
  const { did, collection, rkey, rev, cid, record, live } = event;
  return { did, collection, rkey, rev, cid, ...(record && { record }), live, source: 'stream' };
};
