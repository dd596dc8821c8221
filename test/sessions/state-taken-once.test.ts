import { createKeyv } from '@keyv/redis';
import { requestLocalLock, type NodeSavedState } from '@atproto/oauth-client-node';
import { createCache } from 'cache-manager';
import { CacheOAuthStateStore } from '../../lib/sessions/oauth/cache-oauth.stores.js';
import { databaseOAuthStores } from '../../lib/sessions/oauth/database/database-oauth-stores.js';
import { parityOAuthEntities } from '../../lib/sessions/oauth/database/parity-oauth-entities.js';
import { encryptedStores } from '../../lib/sessions/oauth/encryption/encrypted-stores.js';
import type { OAuthStateStore } from '../../lib/sessions/oauth/oauth-options.js';
import { SignInStates } from '../../lib/sessions/oauth/sign-in-states.js';
import { databaseKinds, describeDatabase, freshDataSource } from '../support/databases.js';
import { describeIf, serverUrl } from '../support/servers.js';
import { aStore } from './oauth-fixtures.js';
import { aKey, aState } from './stored-values.js';

const ROUNDS = 20;
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** What each of two processes gets that are called back twice with one URL, again and again. */
async function taken(stores: readonly OAuthStateStore[]) {
  const processes = stores.map((store) => new SignInStates(store, requestLocalLock));
  const rounds: unknown[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const key = `state-${round}`;
    await processes[0]!.set(key, aState({ appState: key }));
    const found = await Promise.all(
      [...processes, ...processes].map((states) =>
        states.complete(key, async () => (states.get(key) as NodeSavedState).appState),
      ),
    );
    const left = await Promise.all(
      processes.map(async (states) => (await states.find(key)) ?? states.get(key)),
    );
    rounds.push([found.filter((state) => state !== undefined), left]);
  }
  return rounds;
}
const ONCE = Array.from({ length: ROUNDS }, (_, round) => [[`state-${round}`], [undefined, undefined]]);

for (const kind of databaseKinds) {
  describeDatabase(kind)(`a sign-in under way in ${kind}`, () => {
    it('is taken by one of many callbacks that ask at once', async () => {
      const database = await freshDataSource(kind, parityOAuthEntities);
      closing.push(() => database.cleanup());
      const encryptionKeys = [aKey()];
      const sources = [await database.open(), await database.open({ synchronize: false })];
      const both = sources.map((source) => databaseOAuthStores(source, { encryptionKeys }));
      closing.push(() => Promise.all(both.map((stores) => stores.close())));
      expect(await taken(both.map(({ stateStore }) => stateStore))).toEqual(ONCE);
    });
  });
}

describeIf('redis')('a sign-in under way in Redis', () => {
  it('is taken by one of many callbacks that ask at once', async () => {
    const keyvs = [1, 2].map(() =>
      createKeyv(serverUrl('redis').href, { namespace: `test-${process.pid}`, throwOnErrors: true }),
    );
    closing.push(() => Promise.all(keyvs.map((keyv) => keyv.disconnect())));
    // One process with a cache of its own in front.
    const [one, two] = keyvs as [(typeof keyvs)[0], (typeof keyvs)[0]];
    const front = createCache().stores[0]!;
    const both = [[front, one], [two]].map((stores) => new CacheOAuthStateStore(createCache({ stores })));
    expect(await taken(both)).toEqual(ONCE);
  });
});

describe('a sign-in under way', () => {
  it('is taken by one in memory, encrypted or not', async () => {
    const cache = createCache();
    expect(await taken([new CacheOAuthStateStore(cache), new CacheOAuthStateStore(cache)])).toEqual(ONCE);
    const encryptionKeys = [aKey()];
    const encrypted = () =>
      encryptedStores({ stateStore: new CacheOAuthStateStore(cache), sessionStore: aStore(), encryptionKeys })
        .stateStore;
    expect(await taken([encrypted(), encrypted()])).toEqual(ONCE);
  });

  it('is taken by one from a store that only reads and deletes, under the lock', async () => {
    const store = aStore<NodeSavedState>();
    expect(await taken([store, store])).toEqual(ONCE);
    const encryptionKeys = [aKey()];
    const { stateStore } = encryptedStores({ stateStore: store, sessionStore: aStore(), encryptionKeys });
    expect(stateStore.take).toBeUndefined();
    expect(await taken([stateStore, stateStore])).toEqual(ONCE);
  });
});
