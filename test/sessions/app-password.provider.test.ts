import { XRPCError } from '@atproto/api';
import { OAuthSessionInvalidError } from '../../lib/errors/oauth-session-invalid.error.js';
import { SessionStoreError } from '../../lib/errors/session-store.error.js';
import { ParityOptionsError } from '../../lib/errors/parity-options.error.js';
import { SessionAuthenticated } from '../../lib/events/session-authenticated.event.js';
import { SessionInvalidated } from '../../lib/events/session-invalidated.event.js';
import type { AppPasswordCredentials } from '../../lib/sessions/app-password-accounts.js';
import {
  AppPasswordSessionProvider,
  type AppPasswordConfig,
} from '../../lib/sessions/app-password.provider.js';
import { sessionLoss } from '../../lib/sessions/session-loss.js';
import type { Account, LocalNetwork } from '../../lib/testing/network/index.js';
import { interceptedFetch, recordedEvents, recordedLogs, rejection } from './fixtures.js';
import { sharedNetwork } from '../support/shared-network.js';

const COLLECTION = 'com.example.thing';
const LOGIN = 'com.atproto.server.createSession';
const REFRESH = 'com.atproto.server.refreshSession';
const WRITE = 'com.atproto.repo.createRecord';

let network: LocalNetwork;
let accounts = 0;

beforeAll(async () => {
  network = await sharedNetwork();
}, 60_000);

function anAccount(): Promise<Account> {
  return network.createAccount({ handle: `bot${++accounts}.test` });
}

type Overrides = Partial<AppPasswordConfig> & { credentials?: unknown };

function aProvider(
  listed: readonly (Pick<Account, 'password'> & { identifier: string })[],
  overrides: Overrides = {},
) {
  const recorded = recordedEvents();
  const { logger, lines } = recordedLogs();
  const http = interceptedFetch();
  const sessions = new AppPasswordSessionProvider({
    ...(overrides.credentials ? {} : { service: network.pdsUrl, accounts: listed }),
    fetch: http.fetch,
    events: recorded.events,
    logger,
    ...overrides,
  } as AppPasswordConfig);
  return { sessions, http, ...recorded, lines };
}

function byHandle({ handle, password }: Account) {
  return { identifier: handle, password };
}

async function write(sessions: AppPasswordSessionProvider, did: string): Promise<string> {
  const agent = await sessions.agentFor(did);
  const { data } = await agent.com.atproto.repo.createRecord({
    repo: did,
    collection: COLLECTION,
    record: { $type: COLLECTION, at: Date.now() },
  });
  return data.uri;
}

const expiredToken = () =>
  Response.json({ error: 'ExpiredToken', message: 'Token has expired' }, { status: 400 });

/** Answers the first request to each of these endpoints with an expired token. */
function expireOnce(...endpoints: string[]) {
  const left = new Set(endpoints);
  return (url: URL) => {
    const endpoint = endpoints.find((each) => url.pathname.endsWith(each));
    return endpoint && left.delete(endpoint) ? expiredToken() : undefined;
  };
}

describe('logging in', () => {
  it('happens when a session is first needed, once for all who wait', async () => {
    const account = await anAccount();
    const { sessions, http, seen } = aProvider([byHandle(account)]);
    expect(http.requests).toEqual([]);

    const agents = await Promise.all(Array.from({ length: 10 }, () => sessions.agentFor(account.did)));
    const uri = await write(sessions, account.did);

    expect(new Set(agents).size).toBe(1);
    expect(agents[0]!.did).toBe(account.did);
    expect(http.count(LOGIN)).toBe(1);
    expect(await network.getRecord(uri)).not.toBeNull();
    expect(seen).toEqual([new SessionAuthenticated(account.did)]);
  });

  it('finds the account by DID or handle, and spends no login on the others', async () => {
    const [alice, bob, carol] = [await anAccount(), await anAccount(), await anAccount()];
    const { sessions, http } = aProvider([
      { identifier: 'gone.test', password: 'x' },
      byHandle(alice),
      byHandle(bob),
      { identifier: carol.did, password: carol.password },
    ]);

    await write(sessions, bob.did);
    await write(sessions, carol.did);

    expect(http.count(LOGIN)).toBe(2);
  });

  it('takes an app password, and credentials from a function', async () => {
    const account = await anAccount();
    const password = await network.createAppPassword(account);
    const credentials = async (did: string): Promise<AppPasswordCredentials | null> =>
      did === account.did ? { service: network.pdsUrl, identifier: account.handle, password } : null;
    const { sessions } = aProvider([], { credentials });

    await write(sessions, account.did);
    expect(await rejection(sessions.agentFor('did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'))).toBeInstanceOf(
      OAuthSessionInvalidError,
    );
  });

  it('has no word of a lookup that fails, which may quote a password', async () => {
    const credentials = (): Promise<never> =>
      Promise.reject(new RangeError("parameters: ['app-password-1']"));
    const { sessions } = aProvider([], { credentials });

    for (const use of [() => sessions.agentFor('did:plc:a'), () => sessions.sessionId('did:plc:a')]) {
      const error = await rejection(use());
      expect(error).toEqual(
        new SessionStoreError('The credentials lookup failed (RangeError).', { did: 'did:plc:a' }),
      );
      expect((error as Error).cause).toBeUndefined();
    }
  });

  it('says that it has no credentials for an unknown DID, and asks nobody', async () => {
    const account = await anAccount();
    const { sessions, http } = aProvider([{ identifier: account.did, password: account.password }]);

    const error = await rejection(sessions.agentFor('did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'));

    expect(error).toBeInstanceOf(OAuthSessionInvalidError);
    expect((error as Error).message).toMatch(/no credentials for did:plc:aaaa/);
    expect(await sessions.sessionId('did:plc:aaaaaaaaaaaaaaaaaaaaaaaa')).toBeNull();
    expect(http.requests).toEqual([]);
  });

  it('says so when the credentials belong to another account', async () => {
    const [alice, bob] = [await anAccount(), await anAccount()];
    const credentials = async () => ({ service: network.pdsUrl, ...byHandle(bob) });
    const { sessions, http } = aProvider([], { credentials });

    const error = await rejection(sessions.agentFor(alice.did));
    await rejection(sessions.agentFor(alice.did));

    expect(error).toBeInstanceOf(OAuthSessionInvalidError);
    expect((error as Error).message).toContain(`'${bob.handle}' is ${bob.did}`);
    expect(http.count(LOGIN)).toBe(1);
  });

  it('passes on that the PDS does not answer, and tries again the next time', async () => {
    const account = await anAccount();
    const { sessions, http } = aProvider([{ identifier: account.did, password: account.password }]);
    http.answerWith(() => {
      throw new TypeError('fetch failed');
    });

    const error = await rejection(sessions.agentFor(account.did));
    expect(error).toBeInstanceOf(XRPCError);
    expect(sessionLoss(error)).toBeNull();

    http.answerWith(() => undefined);
    await write(sessions, account.did);
  });
});

describe('a refused password', () => {
  it('is a lost session that says so, and is answered from memory for a while', async () => {
    const account = await anAccount();
    const { sessions, http, seen, lines } = aProvider(
      [{ identifier: account.handle, password: 'wrong-secret' }],
      {
        rememberRefusal: 1_000,
      },
    );

    const errors = [];
    for (let i = 0; i < 5; i++) errors.push(await rejection(sessions.agentFor(account.did)));

    for (const error of errors) {
      expect(error).toBeInstanceOf(OAuthSessionInvalidError);
      expect((error as Error).message).toContain(`refuses the password of ${account.handle} `);
    }
    expect(http.count(LOGIN)).toBe(1);
    expect(seen).toEqual([]);
    expect(lines.join() + errors.join()).not.toContain('wrong-secret');

    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await rejection(sessions.agentFor(account.did));
    expect(http.count(LOGIN)).toBe(2);
  });

  it('does not keep a new password waiting, and names another session', async () => {
    const account = await anAccount();
    let password = 'wrong';
    const credentials = async () => ({ service: network.pdsUrl, identifier: account.handle, password });
    const { sessions } = aProvider([], { credentials });
    await rejection(sessions.agentFor(account.did));
    const refused = await sessions.sessionId(account.did);

    password = account.password;

    await write(sessions, account.did);
    const id = await sessions.sessionId(account.did);
    expect(id).not.toBe(refused);
    expect(id).not.toContain(password);
  });

  it('is named alike in every process that has the same credentials, and in no other way', async () => {
    const [alice, bob] = ['did:plc:aaaaaaaaaaaaaaaaaaaaaaaa', 'did:plc:bbbbbbbbbbbbbbbbbbbbbbbb'];
    const idOf = (did: string, password: string, service: string | URL = network.pdsUrl) =>
      aProvider([], {
        credentials: async () => ({ service, identifier: 'bot.test', password }),
      }).sessions.sessionId(did);
    const id = await idOf(alice, 'secret');
    expect(await idOf(alice, 'secret')).toBe(id);
    expect(await idOf(alice, 'secret', new URL(network.pdsUrl))).toBe(id);
    expect(await idOf(alice, 'another')).not.toBe(id);
    expect(await idOf(bob, 'secret')).not.toBe(id);
  });

  it('delays no other account', async () => {
    const [alice, bob] = [await anAccount(), await anAccount()];
    const { sessions } = aProvider([{ identifier: alice.handle, password: 'wrong' }, byHandle(bob)]);

    expect(await rejection(sessions.agentFor(alice.did))).toBeInstanceOf(OAuthSessionInvalidError);
    expect(await write(sessions, bob.did)).toContain(bob.did);
  });
});

describe('a session that ends', () => {
  it('is refreshed where only its access token has expired', async () => {
    const account = await anAccount();
    const { sessions, http } = aProvider([byHandle(account)]);
    await write(sessions, account.did);
    const id = await sessions.sessionId(account.did);
    http.answerWith(expireOnce(WRITE));
    // Access tokens of one second are equal, and the client takes an equal token for no refresh.
    await new Promise((resolve) => setTimeout(resolve, 1_100));

    await write(sessions, account.did);

    expect(http.count(REFRESH)).toBe(1);
    expect(http.count(LOGIN)).toBe(1);
    expect(await sessions.sessionId(account.did)).toBe(id);
  });

  it('is replaced by one login, and the calls that met its end go through', async () => {
    const account = await anAccount();
    const { sessions, http, names } = aProvider([byHandle(account)]);
    const agent = await sessions.agentFor(account.did);
    let refreshed = false;
    http.answerWith((url) => {
      if (url.pathname.endsWith(REFRESH)) refreshed = true;
      return url.pathname.endsWith(REFRESH) || (url.pathname.endsWith(WRITE) && !refreshed)
        ? expiredToken()
        : undefined;
    });

    await Promise.all([1, 2, 3].map(() => write(sessions, account.did)));

    expect(http.count(LOGIN)).toBe(2);
    expect(await network.listRecords(account.did, COLLECTION)).toHaveLength(3);
    expect(await sessions.agentFor(account.did)).toBe(agent);
    expect(names()).toEqual(['SessionAuthenticated', 'SessionAuthenticated']);
  });

  it('is lost where the app password was revoked meanwhile: told once, never tried in a loop', async () => {
    const account = await anAccount();
    const owner = await network.agent(account);
    const { data } = await owner.com.atproto.server.createAppPassword({ name: 'bot' });
    const { sessions, http, seen } = aProvider([{ identifier: account.handle, password: data.password }]);
    await write(sessions, account.did);
    await owner.com.atproto.server.revokeAppPassword({ name: 'bot' });
    http.answerWith((url) => (url.pathname.endsWith(WRITE) ? expiredToken() : undefined));

    const errors = [];
    for (let i = 0; i < 4; i++) errors.push(await rejection(write(sessions, account.did)));

    expect(http.count(LOGIN)).toBe(2);
    for (const error of errors) expect(sessionLoss(error)).not.toBeNull();
    expect(errors[3]).toBeInstanceOf(OAuthSessionInvalidError);
    expect(seen.slice(1)).toEqual([
      new SessionInvalidated(account.did, 'it expired, and the password is refused'),
    ]);
  });

  it('is no reason to repeat a call whose body is spent', async () => {
    const account = await anAccount();
    const { sessions, http } = aProvider([byHandle(account)]);
    const agent = await sessions.agentFor(account.did);
    http.answerWith((url) =>
      url.pathname.endsWith('uploadBlob') || url.pathname.endsWith(REFRESH) ? expiredToken() : undefined,
    );

    await rejection(
      agent.com.atproto.repo.uploadBlob(new Blob(['x']).stream() as unknown as Blob, {
        encoding: 'text/plain',
      }),
    );

    expect(http.count('uploadBlob')).toBe(1);
  });
});

it.each([
  ['a service that is no URL', { service: 'pds', accounts: [] }, /service takes .*got "pds"/],
  ['accounts that are no array', { service: 'https://pds.test', accounts: {} }, /accounts takes an array/],
  [
    'an identifier that is none',
    { service: 'https://pds.test', accounts: [{ identifier: 'a b', password: 'secret' }] },
    /accounts\[0\]\.identifier takes .*got "a b"/,
  ],
  [
    'a password that is missing',
    { service: 'https://pds.test', accounts: [{ identifier: 'a.test' }] },
    /accounts\[0\]\.password \(of a\.test\)/,
  ],
])('does not start with %s', (_what, config, message) => {
  expect(() => new AppPasswordSessionProvider(config as never)).toThrow(ParityOptionsError);
  expect(() => new AppPasswordSessionProvider(config as never)).toThrow(message);
});
