import type { NodeSavedSession, NodeSavedState } from '@atproto/oauth-client-node';
import { SessionAuthenticated } from '../../lib/events/session-authenticated.event.js';
import { CacheOAuthSessionStore } from '../../lib/sessions/oauth/cache-oauth.stores.js';
import { rejection } from './fixtures.js';
import { SCOPE, aStore, anOAuthNetwork, metadata } from './oauth-fixtures.js';

const on = anOAuthNetwork();
const { anAccount, anApp, signIn, write } = on;

describe('signing in', () => {
  it('stores the session, tells it once, and writes as the account', async () => {
    const account = await anAccount();
    const { oauth, seen } = anApp();

    const result = await signIn(oauth, account, { returnTo: '/posts?page=2' });

    expect(result).toEqual({ did: account.did, returnTo: '/posts?page=2', missingScopes: [] });
    expect(seen).toEqual([new SessionAuthenticated(account.did)]);
    const uri = await write(oauth, account.did);
    expect(await on.network.getRecord(uri)).not.toBeNull();
  });

  it('takes a handle as people write and paste it, a DID, and the query as a plain object', async () => {
    const account = await anAccount();
    const { oauth } = anApp();

    for (const typed of [
      ` @${account.handle.toUpperCase()} `,
      `\u2068\u202a${account.handle}\u202c\u2069\u200b`,
      `at://${account.handle}/app.bsky.feed.post/3k`,
      `https://bsky.app/profile/${account.did.replaceAll(':', '%3A')}/post/3k?x=1`,
      account.did,
    ]) {
      const back = await on.network.signIn(await oauth.authorize(typed), account);
      const result = await oauth.callback(Object.fromEntries(back.searchParams));
      expect(result).toMatchObject({ did: account.did, returnTo: null });
    }
  });

  it('tells only the sign-in when the account had a session, and names the new session otherwise', async () => {
    const account = await anAccount();
    const { oauth, names } = anApp();
    await signIn(oauth, account);
    const first = await oauth.sessionId(account.did);

    await signIn(oauth, account);

    expect(names()).toEqual(['SessionAuthenticated', 'SessionAuthenticated']);
    expect(first).toMatch(/^[\w-]{43}$/);
    expect(await oauth.sessionId(account.did)).not.toBe(first);
    await write(oauth, account.did);
    expect(await on.network.oauthSessions(account)).toBe(1);
  });

  it('completes both of two sign-ins of one account that overlap', async () => {
    const account = await anAccount();
    const { oauth, names } = anApp();
    const backs = [
      await on.network.signIn(await oauth.authorize(account.handle), account),
      await on.network.signIn(await oauth.authorize(account.handle), account),
    ];

    await Promise.all(backs.map((back) => oauth.callback(back.searchParams)));

    expect(names()).toEqual(['SessionAuthenticated', 'SessionAuthenticated']);
    await write(oauth, account.did);
  });

  describe('in a browser', () => {
    it('gives a binding that the callback compares before it stores anything, and that costs nobody the sign-in', async () => {
      const account = await anAccount();
      const { oauth, names } = anApp();
      const url = await oauth.authorize(account.handle, { returnTo: '/draft' });
      const back = await on.network.signIn(url, account);

      for (const binding of [undefined, '', 'AAAAAAAAAAAAAAAAAAAAAA']) {
        expect(await rejection(oauth.callback(back.searchParams, { binding }))).toMatchObject({
          code: 'SIGN_IN_FAILED',
          reason: 'other-browser',
          returnTo: '/draft',
        });
      }
      expect(await oauth.sessionId(account.did)).toBeNull();
      expect(await on.network.oauthSessions(account)).toBe(0);

      expect(url.binding).toMatch(/^[\w-]{22}$/);
      await oauth.callback(back.searchParams, { binding: url.binding });
      expect(names()).toEqual(['SessionAuthenticated']);
    });

    it('completes the sign-ins of two tabs, which share what the browser has', async () => {
      const account = await anAccount();
      const { oauth } = anApp();
      const first = await oauth.authorize(account.handle, { binding: undefined });
      const second = await oauth.authorize(account.handle, { binding: first.binding });
      expect(second.binding).toBe(first.binding);

      for (const url of [first, second]) {
        const back = await on.network.signIn(url, account);
        // Who was told of bindings does not forget them.
        expect(await rejection(oauth.callback(back.searchParams))).toMatchObject({ reason: 'other-browser' });
        await oauth.callback(back.searchParams, { binding: second.binding });
      }
    });

    it('takes no binding that can be guessed, nor keeps one where a store can be read', async () => {
      const account = await anAccount();
      const stateStore = aStore<NodeSavedState>();
      const { oauth } = anApp({ stateStore });
      const { binding } = await oauth.authorize(account.handle, { binding: 'short; Path=/' });
      expect(binding).toMatch(/^[\w-]{22}$/);
      expect(JSON.stringify([...stateStore.entries.values()])).not.toContain(binding);
    });
  });

  it('keeps the session over a restart on the same store', async () => {
    const account = await anAccount();
    const sessionStore = new CacheOAuthSessionStore();
    const before = anApp({ sessionStore });
    await signIn(before.oauth, account);

    const after = anApp({ sessionStore });

    await write(after.oauth, account.did);
    expect(await after.oauth.sessionId(account.did)).toBe(await before.oauth.sessionId(account.did));
    expect(after.seen).toEqual([]);
  });

  it('reports scopes that the user took away', async () => {
    const account = await anAccount();
    const { oauth, lines } = anApp();
    const back = await on.network.signIn(await oauth.authorize(account.handle), account, {
      scope: 'atproto',
    });

    const result = await oauth.callback(back.searchParams);

    expect(result.missingScopes).toEqual(['repo:com.example.thing']);
    expect(lines.filter((line) => line.startsWith('warn'))).toEqual([
      expect.stringContaining('repo:com.example.thing'),
    ]);
  });

  it('reports scopes that the PDS drops without a word', async () => {
    const account = await anAccount();
    const { oauth } = anApp({ clientMetadata: metadata(`${SCOPE} repo:com.example.*`) });

    expect(await signIn(oauth, account)).toMatchObject({ missingScopes: ['repo:com.example.*'] });
  });

  it('does not take another spelling of a scope for a missing one', async () => {
    const account = await anAccount();
    const { oauth } = anApp({
      clientMetadata: metadata(
        'atproto repo?collection=a.b.d&collection=a.b.c repo:a.b.e?action=update&action=create',
      ),
    });

    expect(await signIn(oauth, account)).toMatchObject({ missingScopes: [] });
  });

  it('writes no token, key or code into the log', async () => {
    const account = await anAccount();
    const sessionStore = aStore<NodeSavedSession>();
    const stateStore = aStore<NodeSavedState>();
    const { oauth, lines } = anApp({ sessionStore, stateStore });
    const back = await on.network.signIn(await oauth.authorize(account.handle), account, {
      scope: 'atproto',
    });
    await oauth.callback(back.searchParams);
    const { tokenSet, dpopJwk } = sessionStore.entries.get(account.did)!;
    await on.network.revokeSessions(account);
    await rejection(write(oauth, account.did));
    await signIn(oauth, account);
    await oauth.signOut(account.did);

    const secrets = [
      tokenSet.access_token,
      tokenSet.refresh_token,
      back.searchParams.get('code'),
      (dpopJwk as { d?: string }).d,
    ];
    expect(lines.length).toBeGreaterThan(2);
    for (const secret of secrets) expect(lines.join('\n')).not.toContain(secret!);
  });
});
