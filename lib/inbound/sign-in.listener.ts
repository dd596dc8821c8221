import { OnEvent } from '@nestjs/event-emitter';
import { reasonOf } from '../errors/reason-of.js';
import { SessionAuthenticated } from '../events/session-authenticated.event.js';
import type { RepositoryStore } from '../pending/repository.store.js';
import type { AccountFilter } from './account-filter.js';
import type { ImportLoop } from './import/import.loop.js';
import type { Importer } from './import/importer.js';
import type { ResolvedInboundOptions } from './inbound-options.js';

export interface SignInListenerOptions {
  readonly options: Pick<ResolvedInboundOptions, 'importOnSignIn'>;
  readonly repositories: Pick<RepositoryStore, 'signedIn'>;
  readonly accounts: AccountFilter;
  readonly importer: Importer;
  readonly loop: ImportLoop;
  readonly log: { warn(message: string): void };
}

/** Follows accounts that sign in, and imports their records. */
export class SignInListener {
  /** Whether records are followed at all; known once the mappers are. */
  isActive = false;

  /** @param options null where what is learned of records is not kept */
  constructor(private readonly options: SignInListenerOptions | null) {}

  /** Never throws. An import that fails is done again by the loop. */
  @OnEvent(SessionAuthenticated.event)
  async onSessionAuthenticated({ did }: SessionAuthenticated): Promise<void> {
    if (!this.options || !this.isActive) return;
    const { options, repositories, accounts, loop, log } = this.options;
    try {
      await repositories.signedIn(did, { importDue: options.importOnSignIn !== false });
      accounts.changed();
      if (options.importOnSignIn === 'background') loop.notify();
    } catch (error) {
      log.warn(`Following ${did} failed: ${reasonOf(error)}`);
    }
  }

  /** Never throws. Resolves once the records of an account that has signed in are imported, where that is awaited. */
  async imported(did: string): Promise<void> {
    if (!this.options || !this.isActive || this.options.options.importOnSignIn !== 'await') return;
    const { importer, log } = this.options;
    await importer
      .import(did)
      .catch((error: unknown) => log.warn(`Importing ${did} failed: ${reasonOf(error)}`));
  }
}
