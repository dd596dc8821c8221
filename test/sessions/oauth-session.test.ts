import {
  NodeOAuthClient,
  requestLocalLock,
  type NodeSavedSession,
  type NodeSavedState,
} from '@atproto/oauth-client-node';
import { OAuthSessionInvalidError } from '../../lib/errors/oauth-session-invalid.error.js';
import { PdsUnavailableError } from '../../lib/errors/pds-unavailable.error.js';
import { SessionStoreError } from '../../lib/errors/session-store.error.js';
import { SessionAuthenticated } from '../../lib/events/session-authenticated.event.js';
import { SessionInvalidated } from '../../lib/events/session-invalidated.event.js';
import { interceptedFetch, rejection } from './fixtures.js';
import { aStore, anOAuthNetwork, makeStale, metadata } from './oauth-fixtures.js';

const on = anOAuthNetwork({ own: true });
const { anAccount, anApp, signIn, write } = on;

describe('losing a session', () => {
  it('ends it here and on the server at a sign-out, and tells it once', async () => {
    const account = await anAccount();
    const { oauth, seen } = anApp();
    await signIn(oauth, account);

    await oauth.signOut(account.did);
    await oauth.signOut(account.did);

    expect(seen).toEqual([
      new SessionAuthenticated(account.did),
      new SessionInvalidated(account.did, 'signed out'),
    ]);
    expect(await on.network.oauthSessions(account)).toBe(0);
    expect(await oauth.sessionId(account.did)).toBeNull();
    expect(await rejection(oauth.agentFor(account.did))).toBeInstanceOf(OAuthSessionInvalidError);
  });

  it('tells a revocation at the server once, however many calls meet it', async () => {
    const account = await anAccount();
    const { oauth, seen } = anApp();
    await signIn(oauth, account);
    const agent = await oauth.agentFor(account.did);
    await on.network.revokeSessions(account);

    const settled = await Promise.allSettled(Array.from({ length: 6 }, () => write(oauth, account.did)));
    await rejection(agent.com.atproto.server.getSession());
    const error = await rejection(oauth.agentFor(account.did));

    expect(settled.map(({ status }) => status)).toEqual(Array(6).fill('rejected'));
    expect(error).toBeInstanceOf(OAuthSessionInvalidError);
    expect(error).toMatchObject({ did: account.did, committed: true });
    expect(seen).toEqual([
      new SessionAuthenticated(account.did),
      new SessionInvalidated(account.did, expect.any(String) as unknown as string),
    ]);
    expect(await oauth.sessionId(account.did)).toBeNull();
  });

  it('tells a revocation that a refresh meets, and gives the error that says so', async () => {
    const account = await anAccount();
    const sessionStore = aStore<NodeSavedSession>();
    const { oauth, names } = anApp({ sessionStore });
    await signIn(oauth, account);
    await on.network.revokeSessions(account);
    makeStale(sessionStore.entries, account.did);

    const errors = await Promise.all([1, 2, 3].map(() => rejection(oauth.agentFor(account.did))));

    for (const error of errors) expect(error).toBeInstanceOf(OAuthSessionInvalidError);
    expect(names()).toEqual(['SessionAuthenticated', 'SessionInvalidated']);
  });

  it('tells nothing of accounts that never had one', async () => {
    const { oauth, seen } = anApp();

    for (const did of ['did:plc:aaaaaaaaaaaaaaaaaaaaaaaa', 'nonsense']) {
      expect(await rejection(oauth.agentFor(did))).toBeInstanceOf(OAuthSessionInvalidError);
      expect(await oauth.sessionId(did)).toBeNull();
    }
    await oauth.signOut('did:plc:aaaaaaaaaaaaaaaaaaaaaaaa');
    expect(seen).toEqual([]);
  });

  it('is not what an expired access token means', async () => {
    const account = await anAccount();
    const { oauth, names } = anApp();
    await signIn(oauth, account);
    const id = await oauth.sessionId(account.did);
    await on.network.expireAccessTokens(account);

    await Promise.all([1, 2, 3].map(() => write(oauth, account.did)));

    expect(await oauth.sessionId(account.did)).toBe(id);
    expect(names()).toEqual(['SessionAuthenticated']);
  });

  it('does not happen to a store that is down: its error passes, without its words', async () => {
    const account = await anAccount();
    const sessionStore = aStore<NodeSavedSession>();
    const { oauth, names } = anApp({ sessionStore });
    await signIn(oauth, account);
    sessionStore.broken.get = true;

    const failure = new SessionStoreError('The session store failed (Error).', { did: account.did });
    expect(await rejection(oauth.agentFor(account.did))).toEqual(failure);
    expect(await rejection(oauth.signOut(account.did))).toEqual(failure);

    sessionStore.broken.get = false;
    await write(oauth, account.did);
    expect(names()).toEqual(['SessionAuthenticated']);
  });
});

describe('two sessions of one account', () => {
  it('lets an agent of the session before do nothing, and no harm', async () => {
    const account = await anAccount();
    const { oauth, names } = anApp();
    await signIn(oauth, account);
    const old = await oauth.agentFor(account.did);
    await signIn(oauth, account);
    const id = await oauth.sessionId(account.did);

    for (let i = 0; i < 3; i++) await rejection(old.com.atproto.server.getSession());

    expect(await oauth.sessionId(account.did)).toBe(id);
    expect(names()).toEqual(['SessionAuthenticated', 'SessionAuthenticated']);
    await write(oauth, account.did);
  });

  it('survives sign-ins in the middle of writes', async () => {
    const account = await anAccount();
    const { oauth, names } = anApp();
    await signIn(oauth, account);
    const done = new AbortController();
    const writers = Array.from({ length: 4 }, async () => {
      while (!done.signal.aborted) {
        await write(oauth, account.did).catch(() => undefined);
        // Without a session a try ends without having waited for anything, and would let nobody else run.
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    });

    for (let i = 0; i < 4; i++) await signIn(oauth, account);
    done.abort();
    await Promise.all(writers);

    await write(oauth, account.did);
    expect(names()).not.toContain('SessionInvalidated');
  }, 60_000);

  it('is a trap of the bare client, which is why the store is watched', async () => {
    const account = await anAccount();
    const sessionStore = aStore<NodeSavedSession>();
    const client = new NodeOAuthClient({
      clientMetadata: metadata(),
      plcDirectoryUrl: on.network.plcUrl,
      handleResolver: on.network.pdsUrl,
      allowHttp: true,
      stateStore: aStore<NodeSavedState>(),
      sessionStore,
      requestLock: requestLocalLock,
    });
    const bare = async () => {
      const back = await on.network.signIn(await client.authorize(account.handle), account);
      return (await client.callback(back.searchParams)).session;
    };
    const old = await bare();
    await bare();

    await old.fetchHandler('/xrpc/com.atproto.server.getSession');

    expect(sessionStore.entries.has(account.did)).toBe(false);
  });
});

describe('an outage', () => {
  afterEach(async () => {
    await on.network.startPds().catch(() => undefined);
    await on.network.startPlc().catch(() => undefined);
  });

  it('is no lost session: with the PDS down the error passes, and the session works again after it', async () => {
    const account = await anAccount();
    const sessionStore = aStore<NodeSavedSession>();
    const { oauth, names } = anApp({ sessionStore });
    await signIn(oauth, account);
    const { oauth: cold } = anApp({ sessionStore });
    makeStale(sessionStore.entries, account.did);
    await on.network.stopPds();

    const error = await rejection(cold.agentFor(account.did));
    const beginning = await rejection(oauth.authorize(account.handle));

    expect(error).not.toBeInstanceOf(OAuthSessionInvalidError);
    expect(beginning).toBeInstanceOf(PdsUnavailableError);
    await on.network.startPds();
    await write(cold, account.did);
    expect(names()).toEqual(['SessionAuthenticated']);
  });

  it('of the PLC directory touches no session that has a fresh token', async () => {
    const account = await anAccount();
    const { oauth } = anApp();
    await signIn(oauth, account);
    await on.network.stopPlc();

    await write(oauth, account.did);
    expect(await rejection(anApp().oauth.authorize(account.handle))).toBeInstanceOf(PdsUnavailableError);
  });

  it('does not keep a user from signing out here', async () => {
    const account = await anAccount();
    const sessionStore = aStore<NodeSavedSession>();
    await signIn(anApp({ sessionStore }).oauth, account);
    const { oauth, seen, lines } = anApp({ sessionStore });
    await on.network.stopPds();

    await oauth.signOut(account.did);

    expect(seen).toEqual([new SessionInvalidated(account.did, 'signed out')]);
    expect(await oauth.sessionId(account.did)).toBeNull();
    expect(lines.join('\n')).toMatch(/warn .*server could not be told/);
  });
});

describe('an agent', () => {
  it('costs one look at the store while the session is fresh', async () => {
    const account = await anAccount();
    const { fetch, requests } = interceptedFetch();
    const sessionStore = aStore<NodeSavedSession>();
    const { oauth } = anApp({ fetch, sessionStore });
    await signIn(oauth, account);
    const first = await oauth.agentFor(account.did);
    const before = requests.length;

    expect(await oauth.agentFor(account.did)).toBe(first);
    expect(requests.slice(before)).toEqual([]);
    expect(first.did).toBe(account.did);
  });
});
