import { randomBytes } from 'node:crypto';
import {
  JoseKey,
  type Jwk,
  buildAtprotoLoopbackClientMetadata,
  requestLocalLock,
} from '@atproto/oauth-client-node';
import type { DataSource } from 'typeorm';
import { ParityOptionsError } from '../../lib/errors/parity-options.error.js';
import { AtpOAuthService, type AtpOAuthConfig } from '../../lib/sessions/oauth/atp-oauth.service.js';
import { CacheOAuthStateStore } from '../../lib/sessions/oauth/cache-oauth.stores.js';
import { databaseOAuthStores } from '../../lib/sessions/oauth/database/database-oauth-stores.js';
import { encryptedStores } from '../../lib/sessions/oauth/encryption/encrypted-stores.js';
import type { OAuthOptions } from '../../lib/sessions/oauth/oauth-options.js';
import { withStorage } from '../../lib/sessions/oauth/oauth-storage.js';
import { recordedEvents, recordedLogs } from './fixtures.js';

const loopback = buildAtprotoLoopbackClientMetadata({
  scope: 'atproto',
  redirect_uris: ['http://127.0.0.1:3000/oauth/callback'],
});

function confidential(overrides: object = {}): AtpOAuthConfig['clientMetadata'] {
  return {
    client_id: 'https://blog.test-host.dev/client-metadata.json',
    client_name: 'Blog',
    client_uri: 'https://blog.test-host.dev',
    redirect_uris: ['https://blog.test-host.dev/oauth/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    scope: 'atproto repo:com.example.thing',
    application_type: 'web',
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    dpop_bound_access_tokens: true,
    jwks_uri: 'https://blog.test-host.dev/jwks.json',
    ...overrides,
  } as AtpOAuthConfig['clientMetadata'];
}

function build(overrides: Partial<AtpOAuthConfig> | object) {
  const { logger, lines } = recordedLogs();
  const { events } = recordedEvents();
  const oauth = new AtpOAuthService({ clientMetadata: loopback, events, logger, ...overrides });
  return { oauth, lines };
}

function problem(overrides: object): unknown {
  try {
    return build(overrides);
  } catch (error) {
    return error;
  }
}

const key = await JoseKey.generate(['ES256'], 'key-1');
const jwk = key.privateJwk as Jwk & { d: string };

it('serves the metadata and the public half of the keys', () => {
  const { oauth } = build({ clientMetadata: confidential(), keyset: [jwk] });

  expect(oauth.clientMetadata).toMatchObject({
    client_id: 'https://blog.test-host.dev/client-metadata.json',
  });
  expect(oauth.jwks.keys).toEqual([expect.objectContaining({ kid: 'key-1', kty: 'EC' })]);
  expect(JSON.stringify([oauth.jwks, oauth.clientMetadata])).not.toContain(jwk.d);
});

it('publishes the public half within the metadata where there is no jwks_uri', () => {
  const { oauth } = build({ clientMetadata: confidential({ jwks_uri: undefined }), keyset: [key] });

  expect(oauth.clientMetadata.jwks?.keys).toHaveLength(1);
  expect(JSON.stringify(oauth.clientMetadata)).not.toContain(jwk.d);
});

it("takes keys with `use: 'sig'`, as many tools write them", () => {
  const { key_ops: _ops, ...rest } = jwk;
  expect(() => build({ clientMetadata: confidential(), keyset: [{ ...rest, use: 'sig' }] })).not.toThrow();
});

it('has no keys for a public client', () => {
  expect(build({}).oauth.jwks).toEqual({ keys: [] });
});

it.each([
  ['no metadata', { clientMetadata: undefined }, /oauth\.clientMetadata takes .*got undefined/],
  [
    'a redirect to localhost',
    { clientMetadata: { ...loopback, redirect_uris: ['http://localhost:3000/'] } },
    /oauth\.clientMetadata.*redirect_uris.*http:\/\/localhost:3000/,
  ],
  [
    'a scope without atproto',
    { clientMetadata: confidential({ scope: 'repo:com.example.thing' }), keyset: [jwk] },
    /oauth\.clientMetadata.*atproto/,
  ],
  ['a confidential client without keys', { clientMetadata: confidential() }, /oauth\.clientMetadata.*keyset/],
  [
    'a plcDirectoryUrl that is none',
    { plcDirectoryUrl: 'plc.directory' },
    /oauth\.plcDirectoryUrl takes an http\(s\) URL, got "plc\.directory"/,
  ],
  ['a handleResolver that is none', { handleResolver: {} }, /oauth\.handleResolver takes .*resolve/],
  ['a requestLock that is none', { requestLock: true }, /oauth\.requestLock takes a function, got true/],
  ['allowHttp as a string', { allowHttp: 'true' }, /oauth\.allowHttp takes a boolean, got "true"/],
  [
    'a store without methods',
    { sessionStore: { get: () => undefined } },
    /oauth\.sessionStore lacks set, del/,
  ],
  ['a keyset that is no array', { keyset: jwk }, /oauth\.keyset takes an array/],
  ['a key that is none', { keyset: [{ kty: 'EC' }] }, /oauth\.keyset\[0\] is no JWK/],
  ['a public key', { keyset: [key.publicJwk] }, /oauth\.keyset\[0\] is a public key/],
  ['a key without kid', { keyset: [{ ...jwk, kid: undefined }] }, /oauth\.keyset\[0\] has no kid/],
  ['two keys with one kid', { keyset: [jwk, jwk] }, /oauth\.keyset: Duplicate key: key-1/],
])('does not start with %s, and says so', (_what, overrides, message) => {
  const error = problem(overrides);
  expect(error).toBeInstanceOf(ParityOptionsError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).not.toContain(jwk.d);
});

describe('in production', () => {
  const environment = process.env['NODE_ENV'];
  beforeEach(() => void (process.env['NODE_ENV'] = 'production'));
  afterEach(() => void (process.env['NODE_ENV'] = environment));

  const store = { get: async () => undefined, set: async () => {}, del: async () => {} };
  const stores = { stateStore: store, sessionStore: store };
  const encryptionKeys = [randomBytes(32).toString('base64')];
  const none = (() => undefined) as unknown as () => DataSource;

  it.each([
    ['of sessions in memory', {}, /^warn .*in memory.*oauth\.storage/],
    [
      'of sessions in memory, encrypted',
      () => encryptedStores({ stateStore: new CacheOAuthStateStore(), sessionStore: store, encryptionKeys }),
      /in memory/,
    ],
    ['of a lock within this process', stores, /^warn .*lock within this process.*oauth\.requestLock/],
  ])('warns %s', (_what, options, line) => {
    const { lines } = build(typeof options === 'function' ? options() : options);
    expect(lines).toEqual([expect.stringMatching(line)]);
  });

  it.each([
    ['stores and a lock of one’s own', { ...stores, requestLock: requestLocalLock }],
    ['the database', databaseOAuthStores(none, { encryptionKeys })],
  ])('is quiet about %s', (_what, options) => {
    expect(build({ ...options, requireDurableSessions: true }).lines).toEqual([]);
  });
});

describe('requireDurableSessions', () => {
  const store = { get: async () => undefined, set: async () => {}, del: async () => {} };

  it.each([
    ['sessions in memory', {}, /requireDurableSessions is true.*kept in memory/],
    [
      'a lock within this process',
      { stateStore: store, sessionStore: store },
      /requireDurableSessions is true.*lock within this process/,
    ],
  ])('refuses %s, in every environment', (_what, options, message) => {
    const error = problem({ ...options, requireDurableSessions: true });
    expect(error).toBeInstanceOf(ParityOptionsError);
    expect((error as Error).message).toMatch(message);
  });

  it('refuses what is no boolean', () => {
    expect((problem({ requireDurableSessions: 'yes' }) as Error).message).toMatch(
      /takes a boolean, got "yes"/,
    );
  });
});

describe('storage', () => {
  const encryptionKeys = [randomBytes(32).toString('base64')];
  const database = { kind: 'database', encryptionKeys } as const;
  const options = { clientMetadata: loopback };

  it('brings the stores and the lock, on the DataSource of its name, which is looked up when it is needed', async () => {
    const asked: string[] = [];
    const find = (name: string): DataSource => {
      asked.push(name);
      throw new Error('not made yet');
    };
    expect(withStorage(options, find)).toBe(options);
    const resolved = withStorage({ ...options, storage: { ...database, dataSource: 'blog' } }, find);
    const { oauth, lines } = build({ ...resolved, requireDurableSessions: true });
    expect(lines).toEqual([]);
    expect(asked).toEqual([]);
    await expect(oauth.start()).rejects.toThrow('not made yet');
    expect(asked[0]).toBe('blog');
    await withStorage({ ...options, storage: database }, find)
      .ensureTables?.()
      .catch(() => undefined);
    expect(asked.at(-1)).toBe('default');
    await oauth.close();
  });

  it.each([
    ['another kind', { storage: { kind: 'redis' } }, /oauth\.storage takes .*got the kind "redis"/],
    ['keys that are none', { storage: { kind: 'database' } }, /encryptionKeys takes/],
    [
      'stores as well',
      { storage: database, sessionStore: {} },
      /Both oauth\.storage and oauth\.sessionStore/,
    ],
  ])('refuses %s', (_what, more, message) => {
    const resolve = () => withStorage({ ...options, ...more } as OAuthOptions, () => ({}) as DataSource);
    expect(resolve).toThrow(ParityOptionsError);
    expect(resolve).toThrow(message);
  });

  it('is not overlooked where nobody has resolved it', () => {
    expect((problem({ storage: database }) as Error).message).toMatch(/oauth\.storage.*databaseOAuthStores/);
  });
});
