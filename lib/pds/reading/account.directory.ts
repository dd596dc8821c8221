import { IdentityError } from '../../errors/identity.error.js';

/** Where the repository of an account is, and how it is signed. */
export interface Account {
  /** The origin of its PDS, such as `https://pds.example.com`. */
  readonly pds: string;
  /** The key that signs its commits, as a did:key. */
  readonly signingKey: string;
  /** The handle that the DID document claims, which nothing here verifies; null for none. */
  readonly handle: string | null;
}

export interface AccountDirectoryOptions {
  /** Of the directory for did:plc; `https://plc.directory` by default. */
  readonly plcDirectoryUrl?: string | undefined;
  /** Reaches private addresses, and HTTP: for local networks only. */
  readonly allowHttp?: boolean | undefined;
  /** Milliseconds for which an account is not asked for again; an hour by default. */
  readonly cachedMs?: number | undefined;
  /** Accounts that are kept; 10,000 by default. */
  readonly cachedAccounts?: number | undefined;
  /** Milliseconds until a question is given up; 15,000 by default. */
  readonly timeoutMs?: number | undefined;
}

/** Finds the PDS and the signing key of accounts (https://atproto.com/specs/did), and remembers them for a time. */
export class AccountDirectory {
  constructor(readonly options: AccountDirectoryOptions = {}) {}

  /** @throws IdentityError */
  async account(did: string): Promise<Account> {
    throw new IdentityError(`${did} is not looked for yet.`, 'unreachable', { did });
  }

  /**
   * Asks again: after an identity event, or a signature that does not match.
   *
   * @throws IdentityError
   */
  async refresh(did: string): Promise<Account> {
    return this.account(did);
  }
}
