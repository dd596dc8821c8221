import { isValidDid, isValidHandle } from '@atproto/syntax';
import { ParityOptionsError } from '../errors/parity-options.error.js';
import { resolveHandle } from './resolve-handle.js';

const RESOLVE_TIMEOUT = 15_000;

export interface AppPasswordCredentials {
  /** The PDS (or entryway) to log in at. */
  readonly service: string | URL;
  /** Handle or DID. */
  readonly identifier: string;
  /** An app password; the account's own password works as well, and can do more than a script should. */
  readonly password: string;
}

/** Finds the credentials of an account; null for an unknown account. */
export type CredentialsLookup = (did: string) => Promise<AppPasswordCredentials | null>;

export interface AppPasswordAccounts {
  readonly service: string | URL;
  readonly accounts: readonly Omit<AppPasswordCredentials, 'service'>[];
}

/**
 * A lookup in a fixed list. It asks for the DIDs of handles once, which costs no login.
 *
 * @throws ParityOptionsError that names the entry; passwords are never quoted
 */
export function lookupIn(
  { service, accounts }: AppPasswordAccounts,
  fetch: typeof globalThis.fetch,
): CredentialsLookup {
  if (!URL.canParse(String(service)) || !/^https?:$/.test(new URL(service).protocol)) {
    throw new ParityOptionsError(`service takes the http(s) URL of a PDS, got ${JSON.stringify(service)}.`);
  }
  if (!Array.isArray(accounts))
    throw new ParityOptionsError('accounts takes an array of { identifier, password }.');
  accounts.forEach(({ identifier, password }: Partial<AppPasswordCredentials>, index) => {
    if (typeof identifier !== 'string' || !(isValidDid(identifier) || isValidHandle(identifier))) {
      throw new ParityOptionsError(
        `accounts[${index}].identifier takes a handle or a DID, got ${JSON.stringify(identifier)}.`,
      );
    }
    if (typeof password !== 'string' || password === '') {
      throw new ParityOptionsError(`accounts[${index}].password (of ${identifier}) is missing.`);
    }
  });
  const dids = new Map<string, string>();

  async function didOf(identifier: string): Promise<string | null> {
    if (isValidDid(identifier)) return identifier;
    const known = dids.get(identifier);
    if (known !== undefined) return known;
    // A handle that no account has any more must not keep the other accounts from their sessions.
    const did = await resolveHandle(service, identifier, fetch, AbortSignal.timeout(RESOLVE_TIMEOUT));
    if (did !== null) dids.set(identifier, did);
    return did;
  }

  return async (did) => {
    const byDid = accounts.find(({ identifier }) => identifier === did);
    if (byDid) return { service, ...byDid };
    for (const account of accounts) {
      if (!isValidDid(account.identifier) && (await didOf(account.identifier)) === did) {
        return { service, ...account };
      }
    }
    return null;
  };
}
