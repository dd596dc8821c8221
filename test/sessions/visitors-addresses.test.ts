import type { LookupAllOptions } from 'node:dns';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import type { NodeSavedSession, NodeSavedState } from '@atproto/oauth-client-node';
import type { AtpOAuthConfig } from '../../lib/sessions/oauth/atp-oauth.service.js';
import { recordedEvents, recordedLogs, rejection } from './fixtures.js';

/** Names of the public internet that lead to addresses of this machine or its network. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  'localhost.': ['127.0.0.1'],
  'loopback.evil-host.dev': ['127.0.0.1'],
  'loopback6.evil-host.dev': ['::1'],
  'mapped.evil-host.dev': ['::ffff:127.0.0.1'],
  'nat64.evil-host.dev': ['64:ff9b::7f00:1'],
  'private.evil-host.dev': ['10.0.0.1'],
  'link-local.evil-host.dev': ['169.254.169.254'],
  'both.evil-host.dev': ['93.184.215.14', '127.0.0.1'],
};
// Before anything imports it, which takes its functions as they are then.
const dns = createRequire(import.meta.url)('node:dns') as typeof import('node:dns');
const { lookup } = dns;
dns.lookup = ((name: string, options: LookupAllOptions, callback: (...args: unknown[]) => void) => {
  const addresses = NAMES[name];
  if (!addresses) return lookup(name, options, callback as never);
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  if (options.all) return callback(null, found);
  callback(null, found[0]!.address, found[0]!.family);
}) as typeof dns.lookup;
const { AtpOAuthService } = await import('../../lib/sessions/oauth/atp-oauth.service.js');
const { aStore, metadata } = await import('./oauth-fixtures.js');
const { aSession } = await import('./stored-values.js');
afterAll(() => void (dns.lookup = lookup));

const EVIL = 'https://evil.example';
const DID = 'did:web:evil.example';

/** What must not be reached: whatever listens on this machine. */
let inside: Server;
let reached = 0;
let port = 0;
let closed = 0;
beforeAll(async () => {
  inside = createServer((_request, response) => {
    response.writeHead(400, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: 'invalid_request', error_description: 'the secret of the inside' }));
  });
  inside.on('connection', () => void reached++);
  inside.listen(0, '::');
  await once(inside, 'listening');
  ({ port } = inside.address() as AddressInfo);
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  closed = (other.address() as AddressInfo).port;
  await new Promise((done) => other.close(done));
});
beforeEach(() => void (reached = 0));
afterAll(() => inside.close());

interface Evil {
  /** Of the DID document. */
  readonly pds?: string;
  /** Of the authorization server. */
  readonly par?: string;
  readonly token?: string;
  /** What its own pages answer. */
  readonly answer?: (url: URL) => Response | undefined;
}

/** An internet with one host, everything of which is the visitor's; all else is asked as it would be. */
function internet({ pds = EVIL, par = `${EVIL}/par`, token = `${EVIL}/token`, answer }: Evil) {
  const documents: Record<string, object> = {
    '/.well-known/did.json': {
      '@context': ['https://www.w3.org/ns/did/v1'],
      id: DID,
      alsoKnownAs: [],
      service: [{ id: '#atproto_pds', type: 'AtprotoPersonalDataServer', serviceEndpoint: pds }],
    },
    '/.well-known/oauth-protected-resource': { resource: EVIL, authorization_servers: [EVIL] },
    '/.well-known/oauth-authorization-server': {
      issuer: EVIL,
      authorization_endpoint: `${EVIL}/authorize`,
      token_endpoint: token,
      pushed_authorization_request_endpoint: par,
      require_pushed_authorization_requests: true,
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
      token_endpoint_auth_signing_alg_values_supported: ['ES256'],
      dpop_signing_alg_values_supported: ['ES256'],
      scopes_supported: ['atproto'],
      protected_resources: [EVIL],
      authorization_response_iss_parameter_supported: true,
      client_id_metadata_document_supported: true,
    },
  };
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (url.origin !== EVIL) return globalThis.fetch(input, init);
    const document = documents[url.pathname];
    const own = answer?.(url);
    const location = own?.headers.get('location');
    // As fetch itself follows: through the dispatcher that it was given.
    if (location) return globalThis.fetch(location, { ...init, method: 'POST', body: 'x' });
    return own ?? (document ? Response.json(document) : new Response('', { status: 404 }));
  };
  return fetch;
}

function anApp(evil: Evil, overrides: Partial<AtpOAuthConfig> = {}) {
  const { events } = recordedEvents();
  const { logger, lines } = recordedLogs();
  const fetch = internet(evil);
  const oauth = new AtpOAuthService({ clientMetadata: metadata(), events, logger, fetch, ...overrides });
  return { oauth, lines };
}

const withPort = (url: string, at: number): string => url.replace('PORT', String(at));

/** What a visitor reads who signs in as the evil account. */
async function answerTo(evil: Evil) {
  const { reason, message, code } = (await rejection(anApp(evil).oauth.authorize(DID))) as Record<
    string,
    string
  >;
  return { code, reason, message };
}

const REFUSED = {
  code: 'SIGN_IN_FAILED',
  reason: 'identity-unavailable',
  message: expect.stringMatching(/^The account of 'did:web:evil\.example' cannot sign in/) as string,
};

describe('an address that a visitor names', () => {
  it.each([
    'http://127.0.0.1:PORT',
    'https://127.0.0.1:PORT',
    'https://localhost:PORT',
    'https://2130706433:PORT',
    'https://0x7f.1:PORT',
    'https://0.0.0.0:PORT',
    'https://[::1]:PORT',
    'https://[::]:PORT',
    'https://[::ffff:127.0.0.1]:PORT',
    'https://[::ffff:7f00:1]:PORT',
    'https://[64:ff9b::7f00:1]:PORT',
    'https://10.0.0.1:PORT',
    'https://169.254.169.254',
    ...Object.keys(NAMES).map((name) => `https://${name}:PORT`),
  ])(
    'is not reached inside, as PDS or as endpoint, and sounds the same whatever is there: %s',
    async (url) => {
      for (const evil of [
        (at: string): Evil => ({ pds: at }),
        (at: string): Evil => ({ par: `${at}/admin` }),
        (at: string): Evil => ({
          answer: ({ pathname }) =>
            pathname === '/par' ? new Response(null, { status: 307, headers: { location: at } }) : undefined,
        }),
      ]) {
        const open = await answerTo(evil(withPort(url, port)));
        expect(open).toEqual(REFUSED);
        expect(await answerTo(evil(withPort(url, closed)))).toEqual(open);
        expect(JSON.stringify(open)).not.toMatch(/secret|refused|PORT|127\.0\.0\.1/);
      }
      expect(reached).toBe(0);
    },
  );

  it.each(['did:web:127.0.0.1', 'did:web:169.254.169.254', 'did:web:localhost%3A3000', 'did:web:localhost'])(
    'is not reached by a DID: %s',
    async (did) => {
      const asked: string[] = [];
      const fetch: typeof globalThis.fetch = async (input, init) => {
        asked.push(new Request(input, init).url);
        return globalThis.fetch(input, init);
      };
      const error = await rejection(anApp({}, { fetch }).oauth.authorize(did));
      expect(error).toMatchObject({ reason: 'identity-unavailable' });
      expect(asked.filter((url) => !url.startsWith('https://localhost'))).toEqual([]);
      expect(reached).toBe(0);
    },
  );

  it('is not reached as token endpoint, nor as the PDS of a session', async () => {
    const stateStore = aStore<NodeSavedState>();
    const evil = { token: `https://loopback.evil-host.dev:${port}/token` };
    const par = (url: URL) =>
      url.pathname === '/par' ? Response.json({ request_uri: 'urn:x', expires_in: 60 }) : undefined;
    const { oauth } = anApp({ ...evil, answer: par }, { stateStore });
    await oauth.authorize(DID);
    const [state = ''] = stateStore.entries.keys();
    expect(await rejection(oauth.callback({ state, code: 'x', iss: EVIL }))).toMatchObject({
      reason: 'identity-unavailable',
    });

    const sessionStore = aStore<NodeSavedSession>();
    const session = aSession(DID);
    for (const aud of [`https://loopback.evil-host.dev:${port}/`, `http://127.0.0.1:${port}/`]) {
      const tokenSet = { ...session.tokenSet, iss: EVIL, sub: DID, aud, expires_at: '2999-01-01T00:00:00Z' };
      sessionStore.entries.set(DID, { ...session, tokenSet } as NodeSavedSession);
      const agent = await anApp({}, { sessionStore }).oauth.agentFor(DID);
      await rejection(agent.com.atproto.server.getSession());
    }
    expect(reached).toBe(0);
  });

  it('is reached with allowHttp, which says so in production', async () => {
    const { oauth, lines } = anApp({ par: `http://127.0.0.1:${port}/admin` }, { allowHttp: true });
    await rejection(oauth.authorize(DID));
    expect(reached).toBe(1);
    expect(lines.filter((line) => line.includes('allowHttp'))).toEqual([]);

    const before = process.env['NODE_ENV'];
    process.env['NODE_ENV'] = 'production';
    try {
      expect(anApp({}, { allowHttp: true }).lines.join()).toContain('oauth.allowHttp is true');
    } finally {
      process.env['NODE_ENV'] = before;
    }
  });
});

describe('what a visitor reads', () => {
  it('is nothing of what a host answered, which is for the log, in one line', async () => {
    const words = 'Scope x is\nnot declared';
    const { oauth, lines } = anApp({
      answer: ({ pathname }) =>
        pathname === '/par'
          ? Response.json({ error: 'invalid_scope', error_description: words }, { status: 400 })
          : undefined,
    });
    expect(await rejection(oauth.authorize(DID))).toMatchObject({
      reason: 'other',
      message:
        'The authorization server refuses the sign-in of did:web:evil.example (invalid_scope). ' +
        "Compare the module's clientMetadata.",
    });
    expect(lines).toEqual([expect.stringContaining('Scope x is not declared')]);
  });

  it('is no word of the host in place of an error code', async () => {
    const { message } = await answerTo({
      answer: ({ pathname }) =>
        pathname === '/par' ? Response.json({ error: 'root:x:0:0' }, { status: 400 }) : undefined,
    });
    expect(message).toBe('The authorization server refuses the sign-in of did:web:evil.example.');
  });

  it('names allowHttp where a PDS is reached over http', async () => {
    expect((await answerTo({ pds: 'http://pds.evil-host.dev' })).message).toMatch(
      /plain http.*oauth\.allowHttp/,
    );
  });
});
