import { AsyncLocalStorage } from 'node:async_hooks';
import { lookup } from 'node:dns/promises';
import {
  AtprotoHandleResolverNode,
  HandleResolverError,
  type HandleResolver,
  type ResolvedHandle,
  type ResolveHandleOptions,
} from '@atproto/oauth-client-node';
import { causesOf } from '../../errors/causes-of.js';
import { isRefusedAddress } from './guarded-fetch.js';

/**
 * Resolves handles as the protocol says, by DNS and HTTPS, and reaches public hosts only. The client's
 * resolver gives null for every failure, so a machine without network would tell its visitors that their
 * accounts do not exist.
 */
export class PublicHandleResolver implements HandleResolver {
  readonly #failures = new AsyncLocalStorage<{ error?: unknown }>();
  readonly #inner: AtprotoHandleResolverNode;

  /** @param knownHost a host whose name resolves wherever there is a network */
  constructor(
    fetch: typeof globalThis.fetch,
    private readonly knownHost: string,
  ) {
    this.#inner = new AtprotoHandleResolverNode({
      fetch,
      onError: (error) => Object.assign(this.#failures.getStore() ?? {}, { error }),
    });
  }

  async resolve(handle: string, options?: ResolveHandleOptions): Promise<ResolvedHandle> {
    const failure: { error?: unknown } = {};
    const did = await this.#failures.run(failure, () => this.#inner.resolve(handle, options));
    if (did !== null || failure.error === undefined || (await this.#isAbsence(failure.error))) return did;
    throw new HandleResolverError(`The host of ${handle} does not answer`, { cause: failure.error });
  }

  /** Whether the failure says that the handle does not exist, rather than that it could not be looked up. */
  async #isAbsence(failure: unknown): Promise<boolean> {
    if (failure instanceof HandleResolverError) return !/ HTTP (?:5\d\d|429) /.test(failure.message);
    const causes = [...causesOf(failure)] as { readonly message?: string; readonly code?: unknown }[];
    const code = causes.map((cause) => cause.code).find((each) => typeof each === 'string');
    // A network outage may look like a name that does not exist.
    if (code === 'ENOTFOUND') return this.#isOnline();
    if (code !== undefined) return /CERT|TLS|SSL/.test(String(code));
    // The protocol allows no redirect for this document.
    return isRefusedAddress(failure) || causes.some(({ message = '' }) => message.includes('redirect'));
  }

  #isOnline(): Promise<boolean> {
    return lookup(this.knownHost).then(
      () => true,
      () => false,
    );
  }
}
