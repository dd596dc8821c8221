import type { NodeSavedSession } from '@atproto/oauth-client-node';
import { OAuthSessionInvalidError } from '../../lib/errors/oauth-session-invalid.error.js';
import { SessionInvalidated } from '../../lib/events/session-invalidated.event.js';
import { KeyedQueue } from '../../lib/runtime/keyed-queue.js';
import { RetryingSessionStore } from '../../lib/sessions/oauth/retrying-session.store.js';
import { recordedLogs, rejection } from './fixtures.js';
import { aStore, anOAuthNetwork, makeStale } from './oauth-fixtures.js';
import { until } from '../support/until.js';
import { DID, aSession } from './stored-values.js';

const on = anOAuthNetwork();
const { anAccount, anApp, signIn, write } = on;

async function signedIn() {
  const account = await anAccount();
  const sessionStore = aStore<NodeSavedSession>();
  const app = anApp({ sessionStore });
  await signIn(app.oauth, account);
  const { did } = account;
  return { ...app, account, did, sessionStore, stored: () => sessionStore.entries.get(did)!.tokenSet };
}

describe('a store that does not take a refreshed session', () => {
  it('is asked again, and no caller hears of it', async () => {
    const { oauth, did, account, sessionStore, stored, names, lines } = await signedIn();
    const before = stored();
    makeStale(sessionStore.entries, did);
    sessionStore.broken.set = true;
    setTimeout(() => (sessionStore.broken.set = false), 600);

    await write(oauth, did);

    expect(stored().refresh_token).not.toBe(before.refresh_token);
    expect(await on.network.oauthSessions(account)).toBe(1);
    expect(names()).toEqual(['SessionAuthenticated']);
    expect(lines.join('\n')).not.toMatch(/error/);
  });

  it('costs nobody the session: the process goes on with it, and stores it as soon as it can', async () => {
    const { oauth, did, account, sessionStore, stored, names, lines } = await signedIn();
    const id = await oauth.sessionId(did);
    const before = stored();
    makeStale(sessionStore.entries, did);
    sessionStore.broken.set = true;

    await write(oauth, did);
    await write(oauth, did);
    await on.network.expireAccessTokens(account);
    await write(oauth, did);
    sessionStore.broken.get = true;
    await write(oauth, did);
    sessionStore.broken.get = false;

    expect(stored().refresh_token).toBe(before.refresh_token);
    expect(await oauth.sessionId(did)).toBe(id);
    expect(names()).toEqual(['SessionAuthenticated']);
    const errors = lines.filter((line) => line.startsWith('error'));
    expect(errors).toEqual(Array(2).fill(expect.stringMatching(/session of did:\S+ could not be stored/)));
    expect(errors.join()).not.toContain('the store is full');

    sessionStore.broken.set = false;
    await until(() => stored().refresh_token !== before.refresh_token);
    const { oauth: another } = anApp({ sessionStore });
    await on.network.expireAccessTokens(account);
    await write(another, did);
    await write(oauth, did);
    expect(await on.network.oauthSessions(account)).toBe(1);
  }, 40_000);

  it('gets the session at shutdown at the latest', async () => {
    const { oauth, did, sessionStore, stored } = await signedIn();
    const before = stored();
    makeStale(sessionStore.entries, did);
    sessionStore.broken.set = true;
    await write(oauth, did);
    sessionStore.broken.set = false;

    await oauth.close();

    expect(stored().refresh_token).not.toBe(before.refresh_token);
    await write(anApp({ sessionStore }).oauth, did);
  });

  it('gets the session at shutdown although it could not be read meanwhile', async () => {
    const { oauth, did, sessionStore, names } = await signedIn();
    makeStale(sessionStore.entries, did);
    const { set } = sessionStore;
    sessionStore.set = async () => {
      sessionStore.broken.get = true;
      throw new Error('down');
    };
    await write(oauth, did);
    Object.assign(sessionStore, { set });
    sessionStore.broken.get = false;
    await oauth.close();

    await write(anApp({ sessionStore }).oauth, did);
    expect(names()).toEqual(['SessionAuthenticated']);
  });

  it('does not keep a session alive that was ended elsewhere', async () => {
    const { oauth, did, sessionStore } = await signedIn();
    makeStale(sessionStore.entries, did);
    sessionStore.broken.set = true;
    await write(oauth, did);

    sessionStore.entries.delete(did);
    sessionStore.broken.set = false;
    expect(await rejection(oauth.agentFor(did))).toBeInstanceOf(OAuthSessionInvalidError);
    await oauth.close();
    expect(sessionStore.entries.size).toBe(0);
  });

  it('does not put it over a session that began meanwhile', async () => {
    const { oauth, did, account, sessionStore } = await signedIn();
    makeStale(sessionStore.entries, did);
    sessionStore.broken.set = true;
    await write(oauth, did);
    sessionStore.broken.set = false;
    await signIn(anApp({ sessionStore }).oauth, account);
    const fresh = sessionStore.entries.get(did)!;

    await oauth.close();

    expect(sessionStore.entries.get(did)).toEqual(fresh);
    await write(oauth, did);
  });

  it('is told of a sign-out although it has not taken the session', async () => {
    const { oauth, did, account, sessionStore, seen } = await signedIn();
    makeStale(sessionStore.entries, did);
    sessionStore.broken.set = true;
    await write(oauth, did);

    await oauth.signOut(did);

    expect(seen.slice(1)).toEqual([new SessionInvalidated(did, 'signed out')]);
    expect(await oauth.sessionId(did)).toBeNull();
    expect(await on.network.oauthSessions(account)).toBe(0);
  });

  it('holds a thousand such sessions, and no more', async () => {
    const inner = aStore<NodeSavedSession>();
    inner.broken.get = inner.broken.set = true;
    const { logger, lines } = recordedLogs();
    const patient = new RetryingSessionStore(inner, new KeyedQueue(), logger);
    const keep = (i: number) =>
      patient.setRefreshed(`did:plc:${i}`, aSession(`did:plc:${i}`, 'new'), aSession(`did:plc:${i}`, 'old'));
    await Promise.all(Array.from({ length: 1_000 }, (_, i) => keep(i)));

    expect(await rejection(keep(1_000))).toMatchObject({ code: 'SESSION_STORE_FAILED' });
    await keep(5);
    expect(lines).toHaveLength(1_001);
    await patient.close();
  });
});

describe('a store that does not take a new session', () => {
  it('makes the sign-in fail after three tries, so that the user can repeat it', async () => {
    const account = await anAccount();
    const sessionStore = aStore<NodeSavedSession>();
    const { oauth, names } = anApp({ sessionStore });
    sessionStore.broken.set = true;

    await rejection(signIn(oauth, account));

    expect(names()).toEqual([]);
    expect(await on.network.oauthSessions(account)).toBe(0);
    sessionStore.broken.set = false;
    await signIn(oauth, account);
    await write(oauth, account.did);
  });
});

it('keeps apart what it keeps for different accounts', async () => {
  const inner = aStore<NodeSavedSession>();
  const patient = new RetryingSessionStore(inner, new KeyedQueue(), recordedLogs().logger);
  await patient.set(DID, aSession(DID, 'old'));
  inner.broken.set = true;
  await patient.setRefreshed(DID, aSession(DID, 'new'), aSession(DID, 'old'));
  expect((await patient.get(DID))?.tokenSet.refresh_token).toBe('new');
  expect(await patient.get('did:plc:other')).toBeUndefined();
  // Somebody else's refresh, which is newer than what is kept here.
  inner.entries.set(DID, aSession(DID, 'newer'));
  expect((await patient.get(DID))?.tokenSet.refresh_token).toBe('newer');
  await patient.close();
});
