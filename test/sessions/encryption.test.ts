import type { NodeSavedSession, NodeSavedState } from '@atproto/oauth-client-node';
import { ParityOptionsError } from '../../lib/errors/parity-options.error.js';
import { CacheOAuthSessionStore, CacheOAuthStateStore } from '../../lib/sessions/oauth/cache-oauth.stores.js';
import { encryptedStores } from '../../lib/sessions/oauth/encryption/encrypted-stores.js';
import { KeyedQueue } from '../../lib/runtime/keyed-queue.js';
import { RetryingSessionStore } from '../../lib/sessions/oauth/retrying-session.store.js';
import { recordedLogs, rejection } from './fixtures.js';
import { aStore } from './oauth-fixtures.js';
import { DID, SECRETS, aKey, aSession, aState } from './stored-values.js';

function stores() {
  const raw = { stateStore: aStore<NodeSavedState>(), sessionStore: aStore<NodeSavedSession>() };
  return {
    ...raw,
    with: (encryptionKeys: string[], acceptPlaintext = false) =>
      encryptedStores({ ...raw, encryptionKeys, acceptPlaintext }),
  };
}

it('stores nothing that anybody can read, another text each time, and gives back what it got', async () => {
  const raw = stores();
  const { stateStore, sessionStore } = raw.with([aKey()]);
  await stateStore.set('state', aState());
  await sessionStore.set(DID, aSession());
  const first = JSON.stringify(raw.sessionStore.entries.get(DID));
  await sessionStore.set(DID, aSession());

  expect(await stateStore.get('state')).toEqual(aState());
  expect(await sessionStore.get(DID)).toEqual(aSession());
  expect(await sessionStore.get('did:plc:nobody')).toBeUndefined();
  const texts = [raw.stateStore, raw.sessionStore].map(({ entries }) =>
    JSON.stringify([...entries.values()]),
  );
  for (const secret of SECRETS) for (const text of texts) expect(text).not.toContain(secret);
  expect(JSON.stringify(raw.sessionStore.entries.get(DID))).not.toBe(first);
  await sessionStore.del(DID);
  expect(raw.sessionStore.entries.size).toBe(0);
});

it('changes keys: the first encrypts, all decrypt', async () => {
  const raw = stores();
  const [old, fresh] = [aKey(), aKey()];
  await raw.with([old]).sessionStore.set(DID, aSession());

  const { sessionStore } = raw.with([fresh, old]);
  expect(await sessionStore.get(DID)).toEqual(aSession());
  await sessionStore.set(DID, aSession());
  expect(await raw.with([fresh]).sessionStore.get(DID)).toEqual(aSession());
});

it.each<[string, (raw: ReturnType<typeof stores>) => Promise<unknown>, RegExp]>([
  [
    'whose key is missing: it names both keys',
    (raw) => Promise.resolve(raw.with([aKey()]).sessionStore.get(DID)),
    /encrypted with the key '[\w-]{11}', and encryptionKeys has '[\w-]{11}': put that key back/,
  ],
  [
    'that was given to another account',
    async (raw) => {
      raw.sessionStore.entries.set('did:plc:mallory', raw.sessionStore.entries.get(DID)!);
      return raw.with([KEY]).sessionStore.get('did:plc:mallory');
    },
    /of did:plc:mallory does not open .*belongs to another account/,
  ],
  [
    'that was taken for a state',
    async (raw) => {
      raw.stateStore.entries.set(DID, raw.sessionStore.entries.get(DID) as unknown as NodeSavedState);
      return raw.with([KEY]).stateStore.get(DID);
    },
    /does not open/,
  ],
  [
    'that was changed',
    async (raw) => {
      const envelope = raw.sessionStore.entries.get(DID) as unknown as { data: string };
      const bytes = Buffer.from(envelope.data, 'base64');
      bytes[5]! ^= 1;
      envelope.data = bytes.toString('base64');
      return raw.with([KEY]).sessionStore.get(DID);
    },
    /does not open with its key .*changed/,
  ],
  [
    'whose tag was cut short',
    async (raw) => {
      const envelope = raw.sessionStore.entries.get(DID) as unknown as { data: string };
      envelope.data = envelope.data.slice(0, 8);
      return raw.with([KEY]).sessionStore.get(DID);
    },
    /does not open/,
  ],
  [
    'that is not encrypted, unless it is to be read',
    async (raw) => {
      raw.sessionStore.entries.set(DID, aSession());
      expect(await raw.with([KEY], true).sessionStore.get(DID)).toEqual(aSession());
      return raw.with([KEY]).sessionStore.get(DID);
    },
    /is not encrypted.*acceptPlaintext: true/,
  ],
  [
    'that is encrypted, without any keys',
    (raw) => new RetryingSessionStore(raw.sessionStore, new KeyedQueue(), recordedLogs().logger).get(DID),
    /is encrypted with the key .*encryptionKeys/,
  ],
])('refuses a session %s, and keeps it', async (_what, read, message) => {
  const raw = stores();
  await raw.with([KEY]).sessionStore.set(DID, aSession());

  const error = await rejection(read(raw));

  expect(error).toBeInstanceOf(ParityOptionsError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).not.toContain(KEY);
  expect(raw.sessionStore.entries.has(DID)).toBe(true);
});

const KEY = aKey();

it.each<[string, unknown, RegExp]>([
  ['no keys', undefined, /encryptionKeys takes an array .*got undefined/],
  ['an empty array', [], /got an empty array/],
  ['a missing environment variable', [undefined], /encryptionKeys\[0\] is of type undefined/],
  ['a passphrase', [KEY, 'correct horse battery staple'], /encryptionKeys\[1\] is no base64/],
  ['a short key', ['c2VjcmV0'], /encryptionKeys\[0\] has 6 bytes instead of 32/],
  ['a key in hex', ['00ff'.repeat(16)], /encryptionKeys\[0\] has 48 bytes/],
  ['a key of zeros', [Buffer.alloc(32).toString('base64')], /encryptionKeys\[0\] is not random/],
])('does not take %s, and quotes none', (_what, encryptionKeys, message) => {
  const build = () => stores().with(encryptionKeys as string[]);
  expect(build).toThrow(ParityOptionsError);
  expect(build).toThrow(message);
  expect(build).not.toThrow(/horse|c2VjcmV0|00ff/);
});

it('works on a cache, and says whether that is in memory', async () => {
  const { sessionStore, stateStore } = encryptedStores({
    stateStore: new CacheOAuthStateStore(),
    sessionStore: new CacheOAuthSessionStore(),
    encryptionKeys: [KEY],
  });
  await sessionStore.set(DID, aSession());
  expect(await sessionStore.get(DID)).toEqual(aSession());
  expect([sessionStore.volatile, stateStore.volatile]).toEqual([true, true]);
});
