import { Agent } from '@atproto/api';
import {
  buildAtprotoLoopbackClientMetadata,
  NodeOAuthClient,
  type NodeSavedSession,
  type NodeSavedState,
  requestLocalLock,
} from '@atproto/oauth-client-node';
import { classifyFailure } from '../../lib/pds/failure.js';
import { currentCids, latestCommit } from '../../lib/pds/reads.js';
import type { Account } from '../../lib/testing/network/index.js';
import { dropResponse, Held, html, resetBefore, isFence, isWrite } from '../support/fault-proxy.js';
import { App, COLLECTION, WriterNetwork, rejection } from './fixtures.js';

const SCOPE = `atproto repo:${COLLECTION} repo:com.example.once?action=create`;
const CALLBACK = 'http://127.0.0.1:3000/oauth/callback';

function memory<T>() {
  const map = new Map<string, T>();
  return {
    map,
    get: async (key: string) => map.get(key),
    set: async (key: string, value: T) => void map.set(key, value),
    del: async (key: string) => void map.delete(key),
  };
}

describe('RepositoryWriter with real sessions', () => {
  let servers: WriterNetwork;
  beforeAll(async () => {
    servers = await WriterNetwork.startOwn();
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  async function signedIn() {
    const account: Account = await servers.account();
    const sessions = memory<NodeSavedSession>();
    const client = new NodeOAuthClient({
      clientMetadata: buildAtprotoLoopbackClientMetadata({ scope: SCOPE, redirect_uris: [CALLBACK] }),
      allowHttp: true,
      plcDirectoryUrl: servers.network.plcUrl,
      handleResolver: servers.network.pdsUrl,
      stateStore: memory<NodeSavedState>(),
      sessionStore: sessions,
      requestLock: requestLocalLock,
    });
    const url = await client.authorize(account.handle, { scope: SCOPE });
    const callback = await servers.network.signIn(url, account);
    const { session } = await client.callback(callback.searchParams);
    const app = new App(account, new Agent(session));
    await app.save({ first: 'one' });
    servers.proxy.reset();
    return { account, app, sessions, client };
  }

  const rejected = async (app: App) => {
    const error = await rejection(app.save({ a: 'one' }));
    expect(await app.state.load(app.did)).toMatchObject({ inFlight: null });
    return classifyFailure(error, { did: app.did });
  };

  it('writes and fences over OAuth', async () => {
    const { app } = await signedIn();
    servers.proxy.fault(isWrite, dropResponse);
    await app.save({ a: 'one' });
    servers.proxy.fault(isWrite, resetBefore);
    await app.save({ a: 'two' });
    servers.proxy.fault(isWrite, html(502));
    await app.save({ b: 'one' });
    const held = new Held();
    servers.proxy.fault(isWrite, held.lost);
    await app.save({ b: null });
    expect((await held.land()).status).toBe(400);
    expect(await servers.notes(app)).toEqual({ a: 'two', first: 'one' });
    servers.proxy.reset();
    await app.save({ a: 'three' });
    expect(servers.proxy.calls).toEqual(['applyWrites']);
  });

  it('refreshes a token that has expired at the server alone', async () => {
    const { account, app } = await signedIn();
    await servers.network.expireAccessTokens(account);
    await app.save({ a: 'one' });
    expect(await servers.notes(app)).toMatchObject({ a: 'one' });
  });

  it('tells a session that was revoked at the server', async () => {
    const { account, app, sessions } = await signedIn();
    await servers.network.revokeSessions(account);
    const failure = await rejected(app);
    expect(failure).toMatchObject({ kind: 'auth', sessionLost: true });
    expect(failure.error).toMatchObject({ code: 'OAUTH_SESSION_INVALID', did: app.did, committed: true });
    expect(failure.error.message).toContain('Let the user sign in again');
    expect(sessions.map.size).toBe(0);
    expect(await rejected(app)).toMatchObject({ kind: 'auth', sessionLost: true });
  });

  it('keeps a session whose refresh was broken off', async () => {
    const { account, app, sessions } = await signedIn();
    await servers.network.expireAccessTokens(account);
    // Both tries of the first call fail to refresh: whether the session lives can't be told, and it does.
    servers.proxy.fault('/oauth/token', html(502), Number.POSITIVE_INFINITY);
    await rejection(app.save({ a: 'one' }));
    expect(sessions.map.size).toBe(1);
    servers.proxy.reset();
    await app.save({ a: 'one' });
    expect(await servers.notes(app)).toMatchObject({ a: 'one' });
  });

  it('needs one try only when the refresh was broken off once', async () => {
    const { account, app } = await signedIn();
    await servers.network.expireAccessTokens(account);
    servers.proxy.fault('/oauth/token', html(502));
    await app.save({ a: 'one' });
    expect(await servers.notes(app)).toMatchObject({ a: 'one' });
  });

  it('tells an account that is taken down', async () => {
    const { app } = await signedIn();
    await servers.network.takedown(app.did);
    expect(await rejected(app)).toMatchObject({ kind: 'auth', sessionLost: true });
  });

  it('tells an account that is deactivated, whose session lives', async () => {
    const { account, app } = await signedIn();
    await servers.network.deactivate(account);
    const failure = await rejected(app);
    expect(failure).toMatchObject({ kind: 'auth', sessionLost: false });
    expect(failure.error).toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    expect(failure.error.message).toContain('deactivated');
    await servers.network.activate(account);
    await app.save({ a: 'one' });
    expect(await servers.notes(app)).toMatchObject({ a: 'one' });
  });

  it('tells which scope is missing, and still fences without any', async () => {
    const { app } = await signedIn();
    const collection = 'com.example.once';
    await app.save({ a: 'one' }, { collection });
    const error = await rejection(app.save({ a: 'two' }, { collection }));
    expect(classifyFailure(error, { did: app.did })).toMatchObject({
      kind: 'scope',
      sessionLost: false,
      error: { scope: `repo:${collection}?action=update` },
    });
    expect(await app.state.load(app.did)).toMatchObject({ inFlight: null });
    servers.proxy.reset();
    servers.proxy.fault(isWrite, resetBefore);
    await app.save({ b: 'one' }, { collection });
    expect(servers.proxy.log.filter(isFence)).toHaveLength(1);
  });

  it('fences what an earlier session has left behind', async () => {
    const { app, account } = await signedIn();
    const held = new Held();
    servers.proxy.fault(isWrite, held.fault);
    const saving = rejection(app.save({ first: 'two' }));
    await held.arrived;
    await servers.network.revokeSessions(account);
    held.cut();
    expect(await saving).toMatchObject({ code: 'OAUTH_SESSION_INVALID' });
    expect(await app.state.load(app.did)).toMatchObject({ inFlight: { head: expect.any(String) } });
    app.agent = await servers.agent(account);
    await app.save({ first: 'three' });
    await held.land();
    expect(await servers.notes(app)).toEqual({ first: 'three' });
    expect(app.foreign.size).toBe(0);
  });

  it('holds its time while a session is refreshed', async () => {
    const { account, app, client } = await signedIn();
    await servers.network.expireAccessTokens(account);
    const held = new Held();
    servers.proxy.fault('/oauth/token', held.fault);
    app.restart({ timeoutMs: 300 });
    // While the refresh still waits for its answer.
    expect(await rejection(app.save({ a: 'one' }))).toMatchObject({ code: 'PDS_UNAVAILABLE' });
    await held.arrived;
    await held.release();
    await client.restore(app.did, true).catch(() => undefined);
  });

  it('tells a password session that is deactivated, taken down, deleted, or of somebody else', async () => {
    const app = await servers.app();
    const stranger = await servers.app();
    const account = { ...(await servers.account()) };
    const mine = new App(account, await servers.agent(account));
    await mine.save({ first: 'one' });
    mine.agent = app.agent;
    expect(await rejected(mine)).toMatchObject({ kind: 'auth', sessionLost: false });
    mine.agent = await servers.agent(account);
    await servers.network.deactivate(account);
    expect(await rejected(mine)).toMatchObject({ kind: 'auth', sessionLost: false });
    await servers.network.takedown(stranger.did);
    await stranger.state.settled(stranger.did, {
      head: null,
      inFlight: null,
      unsettled: {},
      spentPoints: [],
    });
    expect(await rejected(stranger)).toMatchObject({ kind: 'auth', sessionLost: false });
    await app.save({ first: 'one' });
    await servers.network.deleteAccount(app.did);
    const gone = await rejected(app);
    expect(gone.kind).toBe('auth');
  });

  it('reads a record, the lack of one, and the head; and classifies what it throws', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    const cids = await currentCids(app.agent, [app.address('a'), app.address('b')]);
    expect(cids.get(app.uri('a'))).toBe(app.remembered.get(app.uri('a')));
    expect(cids.get(app.uri('b'))).toBeNull();
    const commit = (await servers.network.commits(app.did)).at(-1);
    expect(await latestCommit(app.agent, app.did)).toEqual({ cid: commit?.cid, rev: commit?.rev });
    servers.proxy.fault('com.atproto.repo.getRecord', html(200));
    expect(await rejection(currentCids(app.agent, [app.address('a')]))).toMatchObject({
      code: 'PDS_UNAVAILABLE',
      did: app.did,
    });
    servers.proxy.fault('com.atproto.sync.getLatestCommit', new Held().fault);
    expect(await rejection(latestCommit(app.agent, app.did, { timeoutMs: 200 }))).toMatchObject({
      message: expect.stringContaining('did not answer in time'),
    });
  });
});
