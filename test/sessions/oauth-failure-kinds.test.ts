import type { NodeSavedSession } from '@atproto/oauth-client-node';
import type { AtpOAuthService } from '../../lib/sessions/oauth/atp-oauth.service.js';
import { classifyFailure } from '../../lib/pds/failure.js';
import { interceptedFetch, rejection } from './fixtures.js';
import { aStore, anOAuthNetwork, makeStale, metadata, watchTokens } from './oauth-fixtures.js';

const on = anOAuthNetwork({ faults: true });
const { anAccount, anApp, signIn, write } = on;
afterEach(() => on.proxy.reset());

async function signedIn(overrides: Parameters<typeof anApp>[0] = {}) {
  const account = await anAccount();
  const sessionStore = aStore<NodeSavedSession>();
  const app = anApp({ sessionStore, ...overrides });
  await signIn(app.oauth, account);
  return { ...app, account, did: account.did, sessionStore };
}

const failure = async (oauth: AtpOAuthService, did: string) => {
  const { kind, sessionLost, error } = classifyFailure(await rejection(write(oauth, did)), { did });
  return { kind, sessionLost, code: error.code, message: error.message };
};
const SIGN_IN = { kind: 'auth', sessionLost: true, code: 'OAUTH_SESSION_INVALID' };

/** Signing in again is what helps, and what comes before it asks the server for nothing. */
async function endsInSignIn(app: Awaited<ReturnType<typeof signedIn>>): Promise<void> {
  const { oauth, did, account, names, sessionStore } = app;
  expect(sessionStore.entries.size).toBe(0);
  expect(names()).toEqual(['SessionAuthenticated', 'SessionInvalidated']);
  on.proxy.log.length = 0;
  for (let i = 0; i < 3; i++) expect(await failure(oauth, did)).toMatchObject(SIGN_IN);
  expect(on.proxy.log).toEqual([]);
  expect(names()).toEqual(['SessionAuthenticated', 'SessionInvalidated']);
  // Another client: this one may remember that the handle of an account that was taken down led nowhere.
  await signIn(anApp({ sessionStore }).oauth, account);
  await write(oauth, did);
}

it('an access token that has expired is refreshed, and fails nothing', async () => {
  const { oauth, did, account, sessionStore, names } = await signedIn();
  const answers = watchTokens(on.proxy);
  makeStale(sessionStore.entries, did);
  await write(oauth, did);
  await on.network.expireAccessTokens(account);
  await write(oauth, did);
  expect(answers).toEqual(['200', '200']);
  expect(names()).toEqual(['SessionAuthenticated']);
});

it('a refresh whose answer was lost ends in signing in again', async () => {
  const app = await signedIn();
  let lost = 0;
  on.proxy.fault(
    '/oauth/token',
    async (exchange) => {
      const answer = await exchange.forward();
      if (answer.status === 200 && ++lost === 1) exchange.cut();
      else exchange.respond(answer);
    },
    Number.POSITIVE_INFINITY,
  );
  makeStale(app.sessionStore.entries, app.did);

  expect(await failure(app.oauth, app.did)).toMatchObject({ kind: 'transient', sessionLost: false });
  expect(app.names()).toEqual(['SessionAuthenticated']);
  expect(await failure(app.oauth, app.did)).toMatchObject({
    ...SIGN_IN,
    message: expect.stringContaining('replayed') as string,
  });
  on.proxy.reset();
  await endsInSignIn(app);
});

it('an account that has moved to another PDS ends in signing in again, once its token needs a refresh', async () => {
  const { fetch, answerWith } = interceptedFetch();
  const app = await signedIn({ fetch });
  const { did, sessionStore } = app;
  const real = new URL(on.network.publicUrl);
  const documents = new Map<string, unknown>();
  for (const path of [
    `${on.network.plcUrl}/${did}`,
    `${real.origin}/.well-known/oauth-authorization-server`,
  ]) {
    documents.set(path, await (await globalThis.fetch(path)).json());
  }
  // A PDS that does not exist, with metadata like the real one's.
  const moved = 'http://127.0.0.1:1';
  const there = (path: string) =>
    JSON.parse(JSON.stringify(documents.get(path)).replaceAll(real.origin, moved)) as object;
  answerWith((url) => {
    const plain = decodeURIComponent(url.href);
    if (plain === `${on.network.plcUrl}/${did}`) return Response.json(there(plain));
    if (url.origin !== moved) return undefined;
    if (url.pathname.endsWith('oauth-protected-resource')) {
      return Response.json({ resource: moved, authorization_servers: [moved] });
    }
    return Response.json(there(`${real.origin}/.well-known/oauth-authorization-server`));
  });
  await write(app.oauth, did);
  makeStale(sessionStore.entries, did);

  expect(await failure(app.oauth, did)).toMatchObject({
    ...SIGN_IN,
    message: expect.stringContaining('moved to another PDS') as string,
  });
  answerWith(() => undefined);
  await endsInSignIn(app);
});

it.each([
  ['by its owner, at the account page', (account: { did: string }) => on.network.revokeSessions(account)],
  ['by a takedown', ({ did }: { did: string }) => on.network.takedown(did)],
])('a session that was ended at the PDS %s is lost', async (_how, end) => {
  const app = await signedIn();
  await write(app.oauth, app.did);
  await end(app.account);
  expect(await failure(app.oauth, app.did)).toMatchObject(SIGN_IN);
  await on.network.untakedown(app.did);
  await endsInSignIn(app);
});

it('a session that another process has deleted is not there, which that process has told', async () => {
  const { oauth, did, sessionStore, names } = await signedIn();
  const agent = await oauth.agentFor(did);
  await anApp({ sessionStore }).oauth.signOut(did);

  expect(await failure(oauth, did)).toMatchObject(SIGN_IN);
  const error = await rejection(agent.com.atproto.server.getSession());
  expect(classifyFailure(error, { did })).toMatchObject({ kind: 'auth', sessionLost: true });
  expect(names()).toEqual(['SessionAuthenticated']);
});

it('a deactivated account keeps its session, which works when it is active again', async () => {
  const { oauth, did, account, names, sessionStore } = await signedIn();
  await on.network.deactivate(account);
  for (let i = 0; i < 2; i++) {
    expect(await failure(oauth, did)).toMatchObject({
      kind: 'auth',
      sessionLost: false,
      code: 'AUTHENTICATION_FAILED',
      message: expect.stringContaining('deactivated') as string,
    });
  }
  makeStale(sessionStore.entries, did);
  expect(await failure(oauth, did)).toMatchObject({ sessionLost: false });
  await on.network.activate(account);
  await write(oauth, did);
  expect(names()).toEqual(['SessionAuthenticated']);
});

it('a scope that was not granted is told at the sign-in, and where it is missing', async () => {
  const account = await anAccount();
  // Dropped by the PDS without a word, because of its form.
  const { oauth, names } = anApp({ clientMetadata: metadata('atproto repo:com.example.*') });
  const back = await on.network.signIn(await oauth.authorize(account.handle), account);
  expect(await oauth.callback(back.searchParams)).toMatchObject({ missingScopes: ['repo:com.example.*'] });

  expect(await failure(oauth, account.did)).toMatchObject({
    kind: 'scope',
    sessionLost: false,
    code: 'MISSING_SCOPE',
    message: expect.stringContaining('repo:com.example.thing') as string,
  });
  expect(names()).toEqual(['SessionAuthenticated']);
});
