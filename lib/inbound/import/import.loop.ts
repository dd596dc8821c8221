import { reasonOf } from '../../errors/reason-of.js';
import type { RepositoryStore } from '../../pending/repository.store.js';
import { within } from '../../runtime/within.js';
import type { Importer } from './importer.js';

export interface ImportLoopOptions {
  readonly repositories: Pick<RepositoryStore, 'dueImports'>;
  readonly importer: Importer;
  /** How many accounts are imported at a time. */
  readonly concurrency: number;
  /** Milliseconds between two looks for due imports. */
  readonly interval: number;
  /** How long a shutdown waits for imports under way, in ms. */
  readonly drainLimit: number;
  readonly log: { log(message: string): void; warn(message: string): void };
}

/** Imports accounts when that is due, for as long as the application runs. */
export class ImportLoop {
  private readonly working = new Map<string, Promise<void>>();
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private mustLookAgain = false;

  constructor(private readonly options: ImportLoopOptions) {}

  start(): void {
    this.timer = setInterval(() => this.notify(), this.options.interval).unref();
    this.notify();
  }

  /** Starts a look, and does not wait for it. */
  notify(): void {
    if (!this.timer || this.stopping.signal.aborted) return;
    this.mustLookAgain = this.looking !== undefined;
    this.looking ??= this.look()
      .catch((error: unknown) => this.options.log.warn(`Looking for due imports failed: ${reasonOf(error)}`))
      .finally(() => {
        this.looking = undefined;
        if (this.mustLookAgain) this.notify();
      });
  }

  /** What was imported stays; an import that was ended is due again. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort(new Error('the application shuts down'));
    await this.looking;
    await within(this.options.drainLimit, Promise.all(this.working.values()));
  }

  private async look(): Promise<void> {
    const { repositories, concurrency } = this.options;
    const free = concurrency - this.working.size;
    if (free <= 0) return;
    for (const did of await repositories.dueImports(free + this.working.size)) {
      if (this.working.has(did) || this.working.size >= concurrency) continue;
      const work = this.import(did).finally(() => {
        this.working.delete(did);
        this.notify();
      });
      this.working.set(did, work);
    }
  }

  private async import(did: string): Promise<void> {
    const { importer, log } = this.options;
    const { signal } = this.stopping;
    try {
      const { created, updated, removed, rejected, conflicted } = await importer.import(did, { signal });
      const changed = created + updated + removed + rejected + conflicted;
      if (changed > 0) {
        log.log(
          `Imported ${did}: ${created} created, ${updated} updated, ${removed} removed, ${rejected} rejected, ` +
            `${conflicted} in conflict.`,
        );
      }
    } catch (error) {
      if (!signal.aborted) log.warn(`Importing ${did} failed: ${reasonOf(error)}`);
    }
  }
}
