import { requestLocalLock, type NodeSavedSession, type NodeSavedState } from '@atproto/oauth-client-node';
import { PdsUnavailableError } from '../../lib/errors/pds-unavailable.error.js';
import { SessionStoreError } from '../../lib/errors/session-store.error.js';
import { SignInError } from '../../lib/errors/sign-in.error.js';
import { SessionAuthenticated } from '../../lib/events/session-authenticated.event.js';
import { SessionInvalidated } from '../../lib/events/session-invalidated.event.js';
import { interceptedFetch, rejection } from './fixtures.js';
import { aStore, anOAuthNetwork } from './oauth-fixtures.js';

const on = anOAuthNetwork();
const { anAccount, anApp, signIn, write } = on;

describe('a sign-in that fails', () => {
  it.each([
    ['nobody.test', /^No account found for 'nobody\.test'\. Check the handle/],
    ['not a handle', /no handle/],
    ['http://127.0.0.1:1/', /no handle/],
    ['https://alice.test/', /no handle/],
    ['did:key:zQ3sh', /no handle/],
    ['alice.test\u200e bob.test', /'alice\.test bob\.test' is no handle/],
    ['', /no handle/],
  ])("says that the handle '%s' leads to no account", async (handle, message) => {
    const { oauth } = anApp();

    const error = await rejection(oauth.authorize(handle, { returnTo: '/here' }));

    expect(error).toBeInstanceOf(SignInError);
    expect(error).toMatchObject({ reason: 'handle-not-found', returnTo: '/here' });
    expect((error as Error).message).toMatch(message);
  });

  it('asks no host that a visitor names by URL', async () => {
    const { fetch, requests } = interceptedFetch();
    const { oauth } = anApp({ fetch });

    await rejection(oauth.authorize(on.network.pdsUrl));

    expect(requests).toEqual([]);
  });

  it('says that a DID which nobody knows cannot sign in', async () => {
    const { oauth } = anApp();

    const error = await rejection(oauth.authorize('did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'));

    expect(error).toMatchObject({ code: 'SIGN_IN_FAILED', reason: 'identity-unavailable' });
  });

  it('says that the server refuses what the client metadata do not have', async () => {
    const account = await anAccount();
    const { fetch, answerWith } = interceptedFetch();
    const { oauth } = anApp({ fetch });
    answerWith((url) =>
      url.pathname === '/oauth/par'
        ? Response.json(
            { error: 'invalid_scope', error_description: 'Scope x is not declared' },
            { status: 400 },
          )
        : undefined,
    );

    const error = await rejection(oauth.authorize(account.handle));

    expect(error).toMatchObject({ reason: 'other' });
    expect((error as Error).message).toMatch(/\(invalid_scope\).*clientMetadata/);
    expect((error as Error).message).not.toContain('Scope x');
  });

  it.each([
    ['answers HTML', () => new Response('<h1>Sorry</h1>', { headers: { 'content-type': 'text/html' } })],
    ['answers 502', () => new Response('bad gateway', { status: 502 })],
    [
      'cannot be reached',
      () => {
        throw new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') });
      },
    ],
  ])('says that the PDS is unavailable when it %s, at whatever step', async (_how, answer) => {
    const account = await anAccount();
    for (const step of [
      'resolveHandle',
      '/.well-known/oauth-protected-resource',
      '/oauth/par',
      account.did,
    ]) {
      const { fetch } = interceptedFetch((url) =>
        decodeURIComponent(url.href).includes(step) ? answer() : undefined,
      );
      const { oauth } = anApp({ fetch });
      expect([step, await rejection(oauth.authorize(account.handle))]).toEqual([
        step,
        expect.any(PdsUnavailableError),
      ]);
    }
  });

  it('keeps what the account had when the user refuses', async () => {
    const account = await anAccount();
    const { oauth, names } = anApp();
    await signIn(oauth, account);
    const back = await on.network.signIn(
      await oauth.authorize(account.handle, { returnTo: '/draft' }),
      account,
      {
        deny: true,
      },
    );

    const error = await rejection(oauth.callback(back.searchParams));

    expect(error).toBeInstanceOf(SignInError);
    expect(error).toMatchObject({ reason: 'access-denied', returnTo: '/draft' });
    expect(names()).toEqual(['SessionAuthenticated']);
    await write(oauth, account.did);
  });

  it.each([
    ['a wrong state', { code: 'x', state: 'forged', iss: 'http://localhost' }],
    ['no state', { code: 'x' }],
    ['nothing at all', {}],
    ['an error of nobody', { error: 'access_denied', state: 'forged' }],
  ])('does not know a callback with %s', async (_what, params) => {
    const { oauth, seen } = anApp();

    expect(await rejection(oauth.callback(params as Record<string, string>))).toMatchObject({
      code: 'SIGN_IN_FAILED',
      reason: 'unknown-state',
    });
    expect(seen).toEqual([]);
  });

  it('does not know a callback that was used before, and leaves the session of the first alone', async () => {
    const account = await anAccount();
    const { oauth, names } = anApp();
    const back = await on.network.signIn(await oauth.authorize(account.handle), account);
    await oauth.callback(back.searchParams);

    expect(await rejection(oauth.callback(back.searchParams))).toMatchObject({ reason: 'unknown-state' });

    expect(names()).toEqual(['SessionAuthenticated']);
    await write(oauth, account.did);
  });

  it('completes one of several callbacks that arrive together with one state', async () => {
    const account = await anAccount();
    const stateStore = aStore<NodeSavedState>();
    const sessionStore = aStore<NodeSavedSession>();
    const slow = async (key: string) => {
      const state = await stateStore.get(key);
      await new Promise((resolve) => setTimeout(resolve, 20));
      return state;
    };
    const app = () =>
      anApp({ stateStore: { ...stateStore, get: slow }, sessionStore, requestLock: requestLocalLock });
    const { oauth, names } = app();
    const another = app();
    const back = await on.network.signIn(await oauth.authorize(account.handle), account);

    const settled = await Promise.allSettled(
      [oauth, oauth, another.oauth].map((each) => each.callback(back.searchParams)),
    );

    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    // Not 'other': the code of the first must not reach the server a second time.
    expect(
      settled.flatMap((each) => (each.status === 'rejected' ? [each.reason as SignInError] : [])),
    ).toEqual([
      expect.objectContaining({ reason: 'unknown-state' }),
      expect.objectContaining({ reason: 'unknown-state' }),
    ]);
    expect([...names(), ...another.names()]).toEqual(['SessionAuthenticated']);
    await write(oauth, account.did);
  });

  it.each(['read', 'written'])('has no word of a store that cannot be %s', async (how) => {
    const account = await anAccount();
    const stateStore = aStore<NodeSavedState>();
    class RedisError extends Error {
      readonly code = 'ECONNRESET';
    }
    const fail = async (_key: string, value?: unknown): Promise<never> => {
      throw new RedisError(`SET failed: ${JSON.stringify(value)}`);
    };
    const broken = how === 'read' ? { get: fail } : { set: fail };
    const { oauth, lines } = anApp({ stateStore: { ...stateStore, ...broken } });

    const error = await rejection(
      how === 'read' ? oauth.callback({ state: 'x' }) : oauth.authorize(account.handle),
    );

    expect(error).toEqual(
      new SessionStoreError('The store of sign-ins under way failed (RedisError ECONNRESET).'),
    );
    expect((error as Error).cause).toBeUndefined();
    expect(lines.join('\n')).not.toMatch(/verifier|SET failed/);
  });

  it('refuses a code that the server did not give, without the code in the error', async () => {
    const account = await anAccount();
    const { oauth } = anApp();
    const back = await on.network.signIn(await oauth.authorize(account.handle, { returnTo: '/x' }), account);
    back.searchParams.set('code', 'cod-not-the-real-one');

    const error = await rejection(oauth.callback(back.searchParams));

    expect(error).toMatchObject({ code: 'SIGN_IN_FAILED', reason: 'other', returnTo: '/x' });
    expect(JSON.stringify(error) + String((error as Error).cause)).not.toContain('cod-not-the-real-one');
  });

  it('refuses an answer of another issuer, and one without a code', async () => {
    const account = await anAccount();
    const { oauth } = anApp();
    for (const spoil of [
      (query: URLSearchParams) => query.set('iss', 'https://evil.example'),
      (query: URLSearchParams) => query.delete('code'),
    ]) {
      const back = await on.network.signIn(await oauth.authorize(account.handle), account);
      spoil(back.searchParams);
      expect(await rejection(oauth.callback(back.searchParams))).toMatchObject({ reason: 'other' });
    }
  });

  it('tells the loss of the earlier session when the new one cannot be stored', async () => {
    const account = await anAccount();
    const sessionStore = aStore<NodeSavedSession>();
    const { oauth, seen } = anApp({ sessionStore });
    await signIn(oauth, account);
    const back = await on.network.signIn(await oauth.authorize(account.handle), account);
    sessionStore.broken.set = true;

    const error = await rejection(oauth.callback(back.searchParams));

    expect(error).toEqual(new SessionStoreError('The session store failed (Error).', { did: account.did }));
    expect((error as Error).cause).toBeUndefined();
    expect(seen).toEqual([
      new SessionAuthenticated(account.did),
      new SessionInvalidated(account.did, 'replaced by a sign-in that failed'),
    ]);
  });

  it.each([
    '//evil.example',
    '/\\evil.example',
    'https://evil.example/',
    'posts',
    '',
    '/a\nb',
    '/\t/evil.example',
    '/.//evil.example',
  ])('does not begin with returnTo %j, and says what it takes', async (returnTo) => {
    const { fetch, requests } = interceptedFetch();
    const { oauth } = anApp({ fetch });

    const error = await rejection(oauth.authorize('alice.test', { returnTo }));

    expect(error).toMatchObject({ code: 'SIGN_IN_FAILED', reason: 'unsafe-return-to' });
    expect((error as Error).message).toContain("'/posts?page=2'");
    expect((error as Error).message).toContain(JSON.stringify(returnTo));
    expect(requests).toEqual([]);
  });
});
