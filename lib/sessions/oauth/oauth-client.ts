import {
  DidResolverCommon,
  JoseKey,
  Key,
  Keyset,
  NodeOAuthClient,
  isAtprotoDid,
  jwkSchema,
  requestLocalLock,
  type HandleResolver,
  type Jwk,
  type NodeSavedSessionStore,
  type NodeSavedStateStore,
} from '@atproto/oauth-client-node';
import { ParityOptionsError } from '../../errors/parity-options.error.js';
import { resolveHandle } from '../resolve-handle.js';
import { guardedFetch } from './guarded-fetch.js';
import type { OAuthOptions } from './oauth-options.js';
import { PublicHandleResolver } from './public-handle.resolver.js';
import { RefreshLock } from './refresh-lock.js';

const RESOLVE_TIMEOUT = 15_000;
const PLC_DIRECTORY = 'https://plc.directory';

interface Stores {
  readonly stateStore: NodeSavedStateStore;
  readonly sessionStore: NodeSavedSessionStore;
  readonly onSessionDeleted: (did: string, cause: unknown) => void;
}

/** @throws ParityOptionsError that names the option, what it got and what it takes */
export function createOAuthClient(options: OAuthOptions, stores: Stores): NodeOAuthClient {
  checkStore(options.stateStore, 'stateStore');
  checkStore(options.sessionStore, 'sessionStore');
  checkType(options.requestLock, 'requestLock', 'function');
  checkType(options.fetch, 'fetch', 'function');
  checkType(options.allowHttp, 'allowHttp', 'boolean');
  checkType(options.requireDurableSessions, 'requireDurableSessions', 'boolean');
  checkUrl(options.plcDirectoryUrl, 'plcDirectoryUrl');
  const { handleResolver, plcDirectoryUrl = PLC_DIRECTORY, allowHttp = false } = options;
  const { requestLock = requestLocalLock, fetch: own = globalThis.fetch } = options;
  // The application names the directory and a handle resolver; visitors name all other addresses.
  const fetch = allowHttp ? own : guardedFetch(own);
  if (typeof handleResolver === 'string' || handleResolver instanceof URL) {
    checkUrl(handleResolver, 'handleResolver');
  } else if (handleResolver !== undefined && typeof handleResolver?.resolve !== 'function') {
    throw invalid('handleResolver', handleResolver, 'a URL, or an object with resolve(handle)');
  }
  const directory = new DidResolverCommon({ fetch: own, plcDirectoryUrl });
  const web = new DidResolverCommon({ fetch, allowHttp });
  const keyset = keysetOf(options.keyset);
  if (typeof options.clientMetadata !== 'object' || options.clientMetadata === null) {
    throw invalid(
      'clientMetadata',
      options.clientMetadata,
      'the client metadata document (for development: buildAtprotoLoopbackClientMetadata())',
    );
  }
  const refresh = new RefreshLock({
    lock: requestLock,
    fetch,
    stored: async (did) => stores.sessionStore.get(did),
  });
  try {
    return new NodeOAuthClient({
      clientMetadata: options.clientMetadata,
      stateStore: stores.stateStore,
      sessionStore: stores.sessionStore,
      onSessionDeleted: stores.onSessionDeleted,
      requestLock: refresh.requestLock,
      fetch: refresh.fetch,
      ...(keyset === undefined ? {} : { keyset }),
      didResolver: {
        resolve: (did, how) => (did.startsWith('did:plc:') ? directory : web).resolve(did, how),
      },
      handleResolver:
        handleResolver === undefined
          ? new PublicHandleResolver(own, new URL(plcDirectoryUrl).hostname)
          : resolverOf(handleResolver, own),
      allowHttp,
    });
  } catch (error) {
    throw new ParityOptionsError(`oauth.clientMetadata ${metadataProblem(error, options.clientMetadata)}`, {
      cause: error,
    });
  }
}

/**
 * Tells a handle that has no account from an outage; the client's own resolver takes 'HandleNotFound' for
 * one.
 */
function resolverOf(
  handleResolver: string | URL | HandleResolver,
  fetch: typeof globalThis.fetch,
): HandleResolver {
  if (typeof handleResolver === 'object' && 'resolve' in handleResolver) return handleResolver;
  return {
    async resolve(handle, { signal = AbortSignal.timeout(RESOLVE_TIMEOUT) } = {}) {
      const did = await resolveHandle(handleResolver, handle, fetch, signal);
      return did !== null && isAtprotoDid(did) ? did : null;
    },
  };
}

function keysetOf(keys: OAuthOptions['keyset']): Keyset | undefined {
  if (keys === undefined) return undefined;
  if (!Array.isArray(keys)) throw invalid('keyset', typeof keys, 'an array of private JWKs');
  const parsed = (keys as readonly (Jwk | Key)[]).map((key, index) => keyOf(key, `keyset[${index}]`));
  try {
    return new Keyset(parsed);
  } catch (error) {
    throw new ParityOptionsError(
      `oauth.keyset: ${(error as Error).message}. Each key needs a kid of its own.`,
      {
        cause: error,
      },
    );
  }
}

/** No part of a key goes into an error, neither its value nor the parser's error, which may quote it. */
function keyOf(input: Jwk | Key, name: string): Key {
  let key: Key | undefined;
  if (input instanceof Key) key = input;
  else {
    // Many tools write `use: 'sig'`, which the parser takes for public keys only.
    const { use, ...jwk } = (input ?? {}) as Record<string, unknown>;
    const parsed = jwkSchema.safeParse(use === 'sig' ? jwk : input);
    if (parsed.success) key = new JoseKey<Jwk>(parsed.data);
  }
  const problem = !key
    ? 'is no JWK'
    : !key.isPrivate
      ? 'is a public key'
      : !key.kid
        ? 'has no kid'
        : undefined;
  if (!key || problem) {
    throw new ParityOptionsError(
      `oauth.${name} ${problem}: it takes a private JWK with a kid, such as ` +
        "`(await JoseKey.generate(['ES256'], 'key-1')).privateJwk`.",
    );
  }
  return key;
}

function metadataProblem(error: unknown, metadata: object): string {
  const issues = (error as { issues?: readonly { path: readonly (string | number)[]; message: string }[] })
    .issues;
  if (!issues) return `is refused: ${(error as Error).message}.`;
  const problems = issues.map(({ path, message }) => {
    const value = path.reduce<unknown>(
      (at, key) => (at as Record<string | number, unknown> | undefined)?.[key],
      metadata,
    );
    // Private keys that were put there by mistake must not appear in a log.
    const got = path[0] === 'jwks' ? '' : `, got ${show(value)}`;
    return `${path.join('.') || 'document'}: ${message}${got}`;
  });
  return `is refused: ${[...new Set(problems)].join('; ')}. See https://atproto.com/specs/oauth#client-id-metadata-document`;
}

function checkStore(store: unknown, name: string): void {
  if (store === undefined) return;
  const methods = store as Record<string, unknown> | null;
  const lacks = ['get', 'set', 'del'].filter((method) => typeof methods?.[method] !== 'function');
  if (lacks.length > 0) {
    throw new ParityOptionsError(
      `oauth.${name} lacks ${lacks.join(', ')}: it takes a store with get(key), set(key, value) and del(key).`,
    );
  }
}

function checkType(value: unknown, name: string, type: 'function' | 'boolean'): void {
  if (value !== undefined && typeof value !== type) throw invalid(name, value, `a ${type}`);
}

function checkUrl(value: string | URL | undefined, name: string): void {
  if (value === undefined) return;
  const url = URL.canParse(String(value)) ? new URL(value) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol)) throw invalid(name, value, 'an http(s) URL');
}

function invalid(name: string, got: unknown, takes: string): ParityOptionsError {
  return new ParityOptionsError(`oauth.${name} takes ${takes}, got ${show(got)}.`);
}

function show(value: unknown): string {
  return (typeof value === 'function' ? 'a function' : (JSON.stringify(value) ?? String(value))).slice(
    0,
    120,
  );
}
