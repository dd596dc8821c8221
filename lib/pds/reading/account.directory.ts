import { DidResolver, getHandle, getKey, getPds, UnsupportedDidWebPathError } from '@atproto/identity';
import { PoorlyFormattedDidDocumentError, type DidDocument } from '@atproto/identity';
import { isValidDid } from '@atproto/syntax';
import { causesOf } from '../../errors/causes-of.js';
import { IdentityError, type IdentityErrorReason } from '../../errors/identity.error.js';
import { reasonOf } from '../../errors/reason-of.js';
import { Recent } from '../../runtime/recent.js';
import { guardedFetch, isRefusedAddress } from '../../sessions/oauth/guarded-fetch.js';
import { askedAgain } from '../connection-failure.js';
import { DEFAULT_TIMEOUT_MS } from '../xrpc-call.js';

const PLC_DIRECTORY = 'https://plc.directory';
const HOUR = 3_600_000;

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
  /** Of the directory for did:plc; `https://plc.directory` by default. It may have any address. */
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

interface Known {
  readonly account: Account;
  readonly at: number;
}

/** Finds the PDS and the signing key of accounts (https://atproto.com/specs/did), and remembers them for a time. */
export class AccountDirectory {
  private readonly resolver: DidResolver;
  private readonly known: Recent<string, Known>;
  private readonly cachedMs: number;
  /** By DID, the question that was asked last. */
  private readonly asking = new Map<string, Promise<Account>>();

  constructor({
    plcDirectoryUrl = PLC_DIRECTORY,
    allowHttp = false,
    cachedMs = HOUR,
    cachedAccounts = 10_000,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  }: AccountDirectoryOptions = {}) {
    this.cachedMs = cachedMs;
    this.known = new Recent(cachedAccounts);
    this.resolver = new DidResolver({
      plcUrl: plcDirectoryUrl,
      timeout: timeoutMs,
      fetch: askedAgain(documentFetch(new URL(plcDirectoryUrl).origin, allowHttp)),
    });
  }

  /**
   * @param options.notBefore time in ms since 1970: what was found earlier is asked again
   * @throws IdentityError
   */
  async account(did: string, { notBefore = 0 }: { readonly notBefore?: number } = {}): Promise<Account> {
    const known = this.known.get(did);
    if (known && known.at >= Math.max(notBefore, Date.now() - this.cachedMs)) return known.account;
    return this.asking.get(did) ?? this.refresh(did);
  }

  /**
   * Asks again: after an identity event, or a signature that does not match.
   *
   * @throws IdentityError
   */
  async refresh(did: string): Promise<Account> {
    const at = Date.now();
    const question = this.ask(did);
    this.asking.set(did, question);
    try {
      const account = await question;
      // What was asked meanwhile is newer.
      if (this.asking.get(did) === question) this.known.set(did, { account, at });
      return account;
    } finally {
      if (this.asking.get(did) === question) this.asking.delete(did);
    }
  }

  private async ask(did: string): Promise<Account> {
    if (!isValidDid(did) || !/^did:(plc|web):/.test(did)) {
      throw new IdentityError(`${did} is no did:plc and no did:web.`, 'unsupported', { did });
    }
    const document = await this.documentOf(did);
    if (document === null) throw new IdentityError(`The DID ${did} does not exist.`, 'unknown', { did });
    const pds = getPds(document);
    if (pds === undefined)
      throw new IdentityError(`The DID document of ${did} names no PDS.`, 'no-pds', { did });
    const handle = getHandle(document);
    return {
      pds: new URL(pds).origin,
      signingKey: signingKeyOf(did, document),
      handle: handle === undefined || handle === 'handle.invalid' ? null : handle,
    };
  }

  private async documentOf(did: string): Promise<DidDocument | null> {
    try {
      return await this.resolver.resolve(did);
    } catch (cause) {
      const [reason, why] = reasonOfFailure(cause);
      throw new IdentityError(`The DID document of ${did} cannot be had: ${why}.`, reason, { did, cause });
    }
  }
}

function signingKeyOf(did: string, document: DidDocument): string {
  let cause: unknown;
  try {
    const key = getKey(document);
    if (key !== undefined) return key;
  } catch (error) {
    cause = error;
  }
  throw new IdentityError(`The DID document of ${did} names no key that signs records.`, 'no-key', {
    did,
    cause,
  });
}

function reasonOfFailure(error: unknown): [IdentityErrorReason, string] {
  if ([...causesOf(error)].some((cause) => cause instanceof GoneError))
    return ['deleted', 'the DID was given up'];
  if (error instanceof PoorlyFormattedDidDocumentError)
    return ['invalid-document', 'what was found is none of it'];
  if (error instanceof UnsupportedDidWebPathError || error instanceof URIError) {
    return ['unsupported', 'a did:web names a host alone'];
  }
  if (isRefusedAddress(error)) return ['refused-address', 'its address is not public'];
  return ['unreachable', reasonOf(error)];
}

/** The directory says that the DID is no more. */
class GoneError extends Error {}

/**
 * The resolver takes every answer of a did:web's host other than 200 for a DID that does not exist, but a
 * host that is overloaded only has to be asked later.
 */
function documentFetch(directory: string, allowHttp: boolean): typeof globalThis.fetch {
  const guarded = guardedFetch(globalThis.fetch);
  return async (input, init) => {
    const { origin, pathname } = new URL(input instanceof Request ? input.url : input);
    // A did:web may name the directory's host, too.
    const isTrusted = allowHttp || (origin === directory && pathname.startsWith('/did%3Aplc%3A'));
    const response = await (isTrusted ? globalThis.fetch : guarded)(input, init);
    if (response.ok || response.status === 404) return response;
    await response.body?.cancel();
    if (response.status === 410) throw new GoneError('HTTP 410');
    throw new Error(`its host answered with HTTP ${response.status}`);
  };
}
