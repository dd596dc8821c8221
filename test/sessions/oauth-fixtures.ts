import { setTimeout as sleep } from 'node:timers/promises';
import { buildAtprotoLoopbackClientMetadata, type NodeSavedSession } from '@atproto/oauth-client-node';
import { AtpOAuthService, type AtpOAuthConfig } from '../../lib/sessions/oauth/atp-oauth.service.js';
import { LocalNetwork, type Account } from '../../lib/testing/network/index.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { sharedNetwork } from '../support/shared-network.js';
import { recordedEvents, recordedLogs } from './fixtures.js';

export const SCOPE = 'atproto repo:com.example.thing';
export const COLLECTION = 'com.example.thing';

/**
 * A network and what signs in to it.
 * @param own servers that the file may stop
 * @param faults servers of the file's own behind a proxy: OAuth goes where the PDS says that it is
 */
export function anOAuthNetwork({ own = false, faults = false } = {}) {
  let network: LocalNetwork;
  let proxy: FaultProxy | undefined;
  let accounts = 0;

  beforeAll(async () => {
    if (faults) proxy = await FaultProxy.start();
    network =
      own || proxy ? await LocalNetwork.start(proxy && { publicUrl: proxy.url }) : await sharedNetwork();
    if (proxy) proxy.target = network.pdsUrl;
  }, 60_000);

  afterAll(async () => {
    if (own || proxy) await network?.stop();
    await proxy?.stop();
  });

  function anAccount(): Promise<Account> {
    return network.createAccount({ handle: `user${++accounts}.test` });
  }

  function anApp(overrides: Partial<AtpOAuthConfig> = {}) {
    const recorded = recordedEvents();
    const { logger, lines } = recordedLogs();
    const oauth = new AtpOAuthService({
      clientMetadata: metadata(),
      plcDirectoryUrl: network.plcUrl,
      handleResolver: network.publicUrl,
      allowHttp: true,
      events: recorded.events,
      logger,
      ...overrides,
    });
    return { oauth, ...recorded, lines };
  }

  async function signIn(oauth: AtpOAuthService, account: Account, options?: { returnTo?: string }) {
    const back = await network.signIn(await oauth.authorize(account.handle, options), account);
    return oauth.callback(back.searchParams);
  }

  async function write(oauth: AtpOAuthService, did: string): Promise<string> {
    const agent = await oauth.agentFor(did);
    const { data } = await agent.com.atproto.repo.createRecord({
      repo: did,
      collection: COLLECTION,
      record: { $type: COLLECTION, at: Date.now() },
    });
    return data.uri;
  }

  return {
    get network() {
      return network;
    },
    get proxy() {
      return proxy!;
    },
    anAccount,
    anApp,
    signIn,
    write,
  };
}

export function metadata(scope = SCOPE) {
  return buildAtprotoLoopbackClientMetadata({
    scope,
    redirect_uris: ['http://127.0.0.1:3000/oauth/callback'],
  });
}

/**
 * What the token endpoint answered, but for demands of a nonce: `200`, or `400 <error>`.
 * @param together no request is passed on before so many have come
 */
export function watchTokens(proxy: FaultProxy, { delayed = 0, together = 1 } = {}): string[] {
  const answers: string[] = [];
  const gathered = Promise.withResolvers<void>();
  let arrivals = 0;
  proxy.fault(
    '/oauth/token',
    async (exchange) => {
      if (++arrivals === together) gathered.resolve();
      await gathered.promise;
      await sleep(delayed);
      const answer = await exchange.forward();
      const { error } = JSON.parse(String(answer.body)) as { error?: string };
      if (error !== 'use_dpop_nonce')
        answers.push(error ? `${answer.status} ${error}` : String(answer.status));
      exchange.respond(answer);
    },
    Number.POSITIVE_INFINITY,
  );
  return answers;
}

/** A store that the test can look into, and break. */
export function aStore<V>() {
  const entries = new Map<string, V>();
  const broken = { get: false, set: false };
  return {
    entries,
    broken,
    get: async (key: string): Promise<V | undefined> => {
      if (broken.get) throw new Error('the store is down');
      return entries.get(key);
    },
    set: async (key: string, value: V): Promise<void> => {
      if (broken.set) throw new Error('the store is full');
      entries.set(key, value);
    },
    del: async (key: string): Promise<void> => void entries.delete(key),
  };
}

export function makeStale(entries: Map<string, NodeSavedSession>, did: string): void {
  const session = entries.get(did)!;
  entries.set(did, { ...session, tokenSet: { ...session.tokenSet, expires_at: new Date(0).toISOString() } });
}
