import { ParityOptionsError } from '../errors/parity-options.error.js';
import { WebhookRefusedError } from '../errors/webhook-refused.error.js';
import type { Repository, RepositoryStore } from '../pending/repository.store.js';
import type { Conflicts } from './conflicts.service.js';
import type { Fetcher, FetchResult } from './fetcher.js';
import type { Importer } from './import/importer.js';
import type { ImportOptions, ImportReport } from './import/import-report.js';
import type { ResolvedInboundOptions } from './inbound-options.js';
import type { TapWebhookSource } from './sources/tap/tap-webhook.js';
import type { InboundDeadLetters } from './inbound-dead-letters.js';

export interface InboundServiceParts {
  readonly importer: Importer;
  readonly fetcher: Fetcher;
  readonly conflicts: Conflicts;
  readonly deadLetters: InboundDeadLetters;
  readonly repositories: RepositoryStore;
  readonly options: Pick<ResolvedInboundOptions, 'source'>;
}

/** What controllers and operators ask of the way from records to entities. */
export class InboundService {
  /** @param parts null where what is learned of records is not kept */
  constructor(private readonly parts: InboundServiceParts | null) {}

  get conflicts(): Conflicts {
    return this.of('conflicts').conflicts;
  }

  get deadLetters(): InboundDeadLetters {
    return this.of('inboundDeadLetters').deadLetters;
  }

  /** See {@link Importer.import}. */
  async import(did: string, options?: ImportOptions): Promise<ImportReport> {
    return this.of('import()').importer.import(did, options);
  }

  async importStatus(did: string): Promise<Repository | null> {
    return this.of('importStatus()').repositories.find(did);
  }

  async resetImport(did: string): Promise<void> {
    await this.of('resetImport()').repositories.resetImport(did);
  }

  /** See {@link Fetcher.fetch}. */
  async fetch(uri: string): Promise<FetchResult> {
    return this.of('fetch()').fetcher.fetch(uri);
  }

  /**
   * Takes one event of a webhook; see `TapWebhookSource.handle`.
   *
   * @throws WebhookRefusedError, also where the source is none that takes webhooks
   */
  async webhook(body: unknown, authorization: string | undefined): Promise<void> {
    const { source } = this.of('webhook()').options;
    if (source && 'handle' in source) return (source as TapWebhookSource).handle(body, authorization);
    throw new WebhookRefusedError('inbound.source is no tapWebhook().', { status: 503 });
  }

  private of(method: string): InboundServiceParts {
    if (this.parts) return this.parts;
    throw new ParityOptionsError(
      `ParityService.${method} needs what is learned of records to be kept: set pendingSyncs to ` +
        `{ enabled: true, storage: 'database' }.`,
    );
  }
}
