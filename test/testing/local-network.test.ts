import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, type AtpAgent, XRPCError } from '@atproto/api';
import {
  type NodeSavedSession,
  type NodeSavedState,
  NodeOAuthClient,
  buildAtprotoLoopbackClientMetadata,
  requestLocalLock,
} from '@atproto/oauth-client-node';
import { type Account, LocalNetwork, LocalNetworkError } from 'nestjs-parity/testing';

const COLLECTION = 'com.example.thing';
const SCOPE = `atproto repo:${COLLECTION} repo:com.example.other`;
const CALLBACK = 'http://127.0.0.1:3000/oauth/callback';

function mapStore<T>() {
  const map = new Map<string, T>();
  const store = {
    get: async (key: string) => map.get(key),
    set: async (key: string, value: T) => void map.set(key, value),
    del: async (key: string) => void map.delete(key),
  };
  return { map, store };
}

function oauthClient(network: LocalNetwork) {
  const sessions = mapStore<NodeSavedSession>();
  const client = new NodeOAuthClient({
    clientMetadata: buildAtprotoLoopbackClientMetadata({ scope: SCOPE, redirect_uris: [CALLBACK] }),
    allowHttp: true,
    plcDirectoryUrl: network.plcUrl,
    handleResolver: network.pdsUrl,
    stateStore: mapStore<NodeSavedState>().store,
    sessionStore: sessions.store,
    requestLock: requestLocalLock,
  });
  return { client, sessions: sessions.map };
}

async function signedIn(network: LocalNetwork, account: Account, scope?: string) {
  const { client, sessions } = oauthClient(network);
  const url = await client.authorize(account.handle, { scope: SCOPE });
  const callback = await network.signIn(url, account, scope === undefined ? {} : { scope });
  const { session } = await client.callback(callback.searchParams);
  return { client, sessions, session, agent: new Agent(session) };
}

async function write(
  agent: Agent | AtpAgent,
  did: string,
  rkey: string,
  text: string,
  collection = COLLECTION,
) {
  const { data } = await agent.com.atproto.repo.putRecord({
    repo: did,
    collection,
    rkey,
    record: { $type: collection, text },
  });
  return data;
}

const portAnswers = (url: string): Promise<boolean> => connects('localhost', Number(new URL(url).port));

function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}

async function until(condition: () => boolean | Promise<boolean>, ms = 10_000): Promise<boolean> {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(50)) if (await condition()) return true;
  return false;
}

describe('LocalNetwork', () => {
  let network: LocalNetwork;
  let names = 0;
  const newAccount = () => network.createAccount({ handle: `user${++names}.test` });

  beforeAll(async () => {
    network = await LocalNetwork.start();
  });
  afterAll(() => network.stop());

  it('writes and reads with a password', async () => {
    const account = await newAccount();
    expect(account).toMatchObject({ handle: 'user1.test', did: expect.stringMatching(/^did:plc:/) });
    const agent = await network.agent(account);
    const { uri, cid } = await write(agent, account.did, 'one', 'hello');

    expect(await network.getRecord(uri)).toEqual({
      uri,
      cid,
      value: { $type: COLLECTION, text: 'hello' },
    });
    expect(await network.listRecords(account.did, COLLECTION)).toHaveLength(1);
    expect(await network.getRecord(`at://${account.did}/${COLLECTION}/two`)).toBeNull();
    expect(await network.listRecords(account.did, 'com.example.none')).toEqual([]);
  });

  it('lists more records than a page holds', async () => {
    const account = await newAccount();
    const agent = await network.agent(account);
    const writes = Array.from({ length: 130 }, (_, index) => ({
      $type: 'com.atproto.repo.applyWrites#create' as const,
      collection: COLLECTION,
      rkey: `r${index}`,
      value: { $type: COLLECTION, index },
    }));
    await agent.com.atproto.repo.applyWrites({ repo: account.did, writes });
    const records = await network.listRecords(account.did, COLLECTION);
    expect(new Set(records.map(({ uri }) => uri)).size).toBe(130);
  });

  it('listens on the loopback interface only, also after a restart', async () => {
    const own = Object.values(networkInterfaces())
      .flat()
      .filter((one) => one !== undefined && !one.internal && one.scopeid === undefined)
      .map((one) => one!.address);
    // An address of 127.0.0.0/8 that is not 127.0.0.1 tells it as well where there is no other interface.
    const others = [...own, '127.0.0.2'];
    const ports = [network.pdsUrl, network.plcUrl].map((url) => Number(new URL(url).port));
    await network.restartPds();
    for (const port of ports) {
      expect(await connects('127.0.0.1', port)).toBe(true);
      for (const host of others) expect([host, await connects(host, port)]).toEqual([host, false]);
    }
  });

  it('makes app passwords', async () => {
    const account = await newAccount();
    const password = await network.createAppPassword(account);
    const agent = await network.agent({ ...account, password });
    await expect(write(agent, account.did, 'one', 'hello')).resolves.toHaveProperty('cid');
  });

  it('says why an account cannot be made', async () => {
    const account = await newAccount();
    const failure = network.createAccount({ handle: account.handle, email: 'else@example.com' });
    await expect(failure).rejects.toThrow(/Handle already taken/);
    await expect(failure).rejects.toBeInstanceOf(LocalNetworkError);
  });

  it('goes through the whole OAuth sign-in', async () => {
    const account = await newAccount();
    const { session, agent } = await signedIn(network, account);
    expect(session.did).toBe(account.did);
    const { uri, cid } = await write(agent, account.did, 'one', 'over OAuth');
    expect(await network.getRecord(uri)).toMatchObject({ cid, value: { text: 'over OAuth' } });
    expect(await network.oauthSessions(account)).toBe(1);
  });

  it('returns code, state and issuer to the callback without calling it', async () => {
    const account = await newAccount();
    const { client } = oauthClient(network);
    const url = await client.authorize(account.handle, { scope: SCOPE, state: 'mine' });
    const callback = await network.signIn(url, account);
    expect(callback.origin + callback.pathname).toBe(CALLBACK);
    expect(callback.searchParams.get('iss')).toBe(network.pdsUrl);
    expect(callback.searchParams.get('code')).toMatch(/^cod-/);
    await expect(client.callback(callback.searchParams)).resolves.toHaveProperty('state', 'mine');
  });

  it('grants fewer scopes than the app asked for', async () => {
    const account = await newAccount();
    const { agent } = await signedIn(network, account, `atproto repo:${COLLECTION}`);
    await write(agent, account.did, 'one', 'allowed');
    const refused = write(agent, account.did, 'one', 'refused', 'com.example.other');
    await expect(refused).rejects.toMatchObject({ status: 403, error: 'ScopeMissingError' });
  });

  it('denies at the consent page', async () => {
    const account = await newAccount();
    const { client } = oauthClient(network);
    const url = await client.authorize(account.handle, { scope: SCOPE });
    const callback = await network.signIn(url, account, { deny: true });
    expect(callback.searchParams.get('error')).toBe('access_denied');
    await expect(client.callback(callback.searchParams)).rejects.toThrow('The user rejected the request');
  });

  it('refuses a wrong password', async () => {
    const account = await newAccount();
    const { client } = oauthClient(network);
    const url = await client.authorize(account.handle, { scope: SCOPE });
    await expect(network.signIn(url, { ...account, password: 'wrong' })).rejects.toThrow(/sign-in: 4\d\d/);
  });

  it('revokes the OAuth sessions of one account', async () => {
    const [account, other] = [await newAccount(), await newAccount()];
    const { agent, client, sessions } = await signedIn(network, account);
    const untouched = await signedIn(network, other);
    await write(agent, account.did, 'one', 'before');

    expect(await network.revokeSessions(account)).toBe(1);
    const failure = write(agent, account.did, 'one', 'after');
    await expect(failure).rejects.toMatchObject({ status: 401 });
    await expect(failure).rejects.toBeInstanceOf(XRPCError);
    await expect(client.restore(account.did)).rejects.toThrow(/deleted|revoked|Invalid/);
    expect(sessions.has(account.did)).toBe(false);
    expect(await network.oauthSessions(account)).toBe(0);
    await expect(write(untouched.agent, other.did, 'one', 'fine')).resolves.toHaveProperty('cid');
  });

  it('expires access tokens, and their client refreshes', async () => {
    const account = await newAccount();
    const { agent, sessions } = await signedIn(network, account);
    await write(agent, account.did, 'one', 'before');
    const before = sessions.get(account.did)?.tokenSet.access_token;
    expect(await network.expireAccessTokens(account)).toBe(1);
    await write(agent, account.did, 'one', 'after');
    expect(sessions.get(account.did)?.tokenSet.access_token).not.toBe(before);
  });

  it('tells the commits of a repository in order', async () => {
    const [account, other] = [await newAccount(), await newAccount()];
    const agent = await network.agent(account);
    const first = await write(agent, account.did, 'one', 'a');
    await write(await network.agent(other), other.did, 'else', 'a');
    const second = await write(agent, account.did, 'one', 'b');
    await agent.com.atproto.repo.deleteRecord({ repo: account.did, collection: COLLECTION, rkey: 'one' });

    const commits = await network.commits(account.did);
    const path = `${COLLECTION}/one`;
    expect(commits.map(({ ops }) => ops)).toEqual([
      [],
      [{ action: 'create', path, cid: first.cid }],
      [{ action: 'update', path, cid: second.cid }],
      [{ action: 'delete', path, cid: null }],
    ]);
    expect(commits[1]).toMatchObject({
      rev: first.commit?.rev,
      cid: first.commit?.cid,
      since: commits[0]?.rev,
    });
    const revisions = commits.map(({ rev }) => rev);
    expect(revisions).toEqual(revisions.toSorted());
  });

  it('restarts with the same data at the same port', async () => {
    const account = await newAccount();
    const { agent } = await signedIn(network, account);
    const password = await network.agent(account);
    const { uri } = await write(agent, account.did, 'one', 'before');
    const url = network.pdsUrl;
    await network.restartPds();

    expect(network.pdsUrl).toBe(url);
    expect(await network.getRecord(uri)).not.toBeNull();
    await write(agent, account.did, 'two', 'the OAuth session lives on');
    await write(password, account.did, 'three', 'so does the password session');
    expect(await network.commits(account.did)).toHaveLength(4);
  });

  it('takes the PDS away and brings it back', async () => {
    const account = await newAccount();
    const agent = await network.agent(account);
    await network.stopPds();
    await network.stopPds();
    expect(await portAnswers(network.pdsUrl)).toBe(false);
    await expect(write(agent, account.did, 'one', 'away')).rejects.toMatchObject({ headers: undefined });
    await expect(network.commits(account.did)).rejects.toThrow('the PDS is stopped');
    await network.startPds();
    await network.startPds();
    await write(agent, account.did, 'one', 'back');
    expect(await network.listRecords(account.did, COLLECTION)).toHaveLength(1);
  });

  it('cuts requests under way when the PDS stops abruptly', async () => {
    const account = await newAccount();
    const agent = await network.agent(account);
    const pending = Promise.allSettled(
      Array.from({ length: 40 }, (_, index) => write(agent, account.did, `r${index}`, 'cut')),
    );
    await sleep(100);
    await network.stopPds({ abruptly: true });
    const outcomes = await pending;
    await network.startPds();
    expect(outcomes.map(({ status }) => status)).toContain('rejected');
    await write(agent, account.did, 'last', 'fine');
  });

  it('takes the PLC directory away and brings it back with its DIDs', async () => {
    const account = await newAccount();
    const url = `${network.plcUrl}/${account.did}`;
    await network.stopPlc();
    await expect(fetch(url)).rejects.toThrow('fetch failed');
    await network.startPlc();
    expect(await (await fetch(url)).json()).toMatchObject({ id: account.did });
  });

  it('takes accounts down, and lets them come back', async () => {
    const account = await newAccount();
    const { agent } = await signedIn(network, account);
    await network.takedown(account.did);
    await expect(write(agent, account.did, 'one', 'a')).rejects.toMatchObject({ status: 401 });
    await network.untakedown(account.did);
    await expect(write(await network.agent(account), account.did, 'one', 'a')).resolves.toHaveProperty('cid');
  });

  it('deactivates and activates accounts', async () => {
    const account = await newAccount();
    const { agent } = await signedIn(network, account);
    await network.deactivate(account);
    await expect(write(agent, account.did, 'one', 'a')).rejects.toMatchObject({
      error: 'AccountDeactivated',
    });
    await network.activate(account);
    await expect(write(agent, account.did, 'one', 'a')).resolves.toHaveProperty('cid');
  });

  it('deletes accounts', async () => {
    const account = await newAccount();
    await network.deleteAccount(account.did);
    await expect(network.agent(account)).rejects.toThrow('Invalid identifier or password');
  });
});

describe('LocalNetwork options and ends', () => {
  it('limits rates, without charging its own questions, and advertises another URL', async () => {
    const publicUrl = 'http://localhost:4999';
    await using network = await LocalNetwork.start({ rateLimits: true, publicUrl });
    const account = await network.createAccount({ handle: 'alice.test' });
    const response = await fetch(`${network.pdsUrl}/xrpc/com.atproto.server.describeServer`);
    expect(response.headers.get('ratelimit-limit')).toBe('3000');
    expect(response.headers.get('ratelimit-remaining')).toBe('2999');

    expect(network.publicUrl).toBe(publicUrl);
    const document = (await (await fetch(`${network.plcUrl}/${account.did}`)).json()) as { service: unknown };
    expect(document.service).toMatchObject([{ serviceEndpoint: publicUrl }]);
    const metadata = await fetch(`${network.pdsUrl}/.well-known/oauth-authorization-server`);
    expect(await metadata.json()).toMatchObject({ issuer: publicUrl });
  });

  it('leaves nothing behind when it is stopped', async () => {
    const network = await LocalNetwork.start();
    expect(existsSync(network.dataDirectory)).toBe(true);
    await network.stop();
    await network.stop();
    expect(existsSync(network.dataDirectory)).toBe(false);
    expect(await portAnswers(network.pdsUrl)).toBe(false);
    expect(await portAnswers(network.plcUrl)).toBe(false);
    await expect(network.commits('did:plc:none')).rejects.toThrow('has been stopped');
  });

  it('says which port is taken', async () => {
    await using network = await LocalNetwork.start();
    const pdsPort = Number(new URL(network.pdsUrl).port);
    await expect(LocalNetwork.start({ pdsPort })).rejects.toThrow(
      `EADDRINUSE: address already in use 127.0.0.1:${pdsPort}`,
    );
  });

  // A real parent outside jest: Node strips the types, and the hook finds the sources behind their `.js` names.
  function startParent(whenReady: string) {
    const source = new URL('../../lib/testing/network/index.ts', import.meta.url).href;
    const script = `
      import { registerHooks } from 'node:module';
      registerHooks({
        resolve: (name, context, next) =>
          next(name.startsWith('.') && context.parentURL.endsWith('.ts') ? name.replace(/\\.js$/, '.ts') : name, context),
      });
      const { LocalNetwork } = await import(${JSON.stringify(source)});
      const network = await LocalNetwork.start();
      await network.createAccount({ handle: 'alice.test' });
      console.log(JSON.stringify({ url: network.pdsUrl, folder: network.dataDirectory }));
      ${whenReady}`;
    const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
    const parent = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
    const gone = once(parent, 'exit');
    const ready = once(parent.stdout, 'data').then(
      ([line]) => JSON.parse(String(line)) as { url: string; folder: string },
    );
    return { parent, ready, gone };
  }

  it.each(['SIGKILL', 'SIGTERM'] as const)('goes away with its parent (%s)', async (signal) => {
    const { parent, ready, gone } = startParent('setInterval(() => {}, 1000);');
    const { url, folder } = await ready;
    expect(await portAnswers(url)).toBe(true);
    expect(existsSync(folder)).toBe(true);
    parent.kill(signal);
    await gone;
    expect(await until(async () => !(await portAnswers(url)))).toBe(true);
    expect(await until(() => !existsSync(folder))).toBe(true);
  });

  it('does not keep a finished parent alive', async () => {
    const { ready, gone } = startParent('');
    const { url, folder } = await ready;
    expect(await gone).toEqual([0, null]);
    expect(await until(async () => !(await portAnswers(url)))).toBe(true);
    expect(await until(() => !existsSync(folder))).toBe(true);
  });

  it('tells its parent when it has died', async () => {
    await using network = await LocalNetwork.start();
    const { folder, pid } = { folder: network.dataDirectory, pid: network.pid };
    process.kill(pid, 'SIGKILL');
    await expect(network.commits('did:plc:none')).rejects.toThrow(/local network (ended|has been stopped)/);
    await network.stop();
    expect(existsSync(folder)).toBe(false);
  });
});
