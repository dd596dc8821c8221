import { OAuthSessionInvalidError, PendingSyncManager } from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';
import { blog, Post } from '../support/entities/blog.js';
import { databaseKinds, describeDatabase, type DatabaseKind } from '../support/databases.js';
import { aDatabaseFor } from '../support/parity-app.js';
import { sharedNetwork } from '../support/shared-network.js';
import { Story } from '../support/story.js';
import { until } from '../support/until.js';

let network: LocalNetwork;

beforeAll(async () => {
  network = await sharedNetwork();
});

describe('signing in again, with pending syncs in the cache', () => {
  theStory('cache', 'sqlite');
});

for (const kind of databaseKinds) {
  describeDatabase(kind)(`signing in again, with pending syncs in the database (${kind})`, () => {
    theStory('database', kind);

    it('kept changes are published also after a restart of the application', async () => {
      const database = await aDatabaseFor(kind, blog);
      const sessions = new Map<string, never>();
      const sessionStore = {
        get: async (did: string) => sessions.get(did),
        set: async (did: string, session: unknown) => void sessions.set(did, session as never),
        del: async (did: string) => void sessions.delete(did),
      };
      const options = {
        database,
        sessionStore,
        storage: 'database',
        pendingSyncs: { autoRetry: true },
      } as const;
      const before = await Story.begin(network, options);
      await network.revokeSessions(before.account);
      await expect(before.save('kept')).rejects.toBeInstanceOf(OAuthSessionInvalidError);
      await expect(before.save('gone again')).rejects.toBeInstanceOf(OAuthSessionInvalidError);
      const gone = await before.app.repository(Post).findOneByOrFail({ content: 'gone again' });
      await expect(before.app.repository(Post).remove(gone)).rejects.toBeInstanceOf(OAuthSessionInvalidError);
      await before.app.stop();

      const after = await Story.begin(network, { ...options, account: before.account });
      expect(await after.app.parity.countPendingSyncs(before.account.did)).toBe(2);
      await expect(after.save('after the restart')).rejects.toBeInstanceOf(OAuthSessionInvalidError);
      await after.signIn();
      await until(async () => !(await after.app.parity.hasPendingSyncs(before.account.did)));
      expect(await after.records()).toEqual(['after the restart', 'kept']);
      await after.app.stop();
      await database.cleanup();
    });
  });
}

function theStory(storage: 'cache' | 'database', database: DatabaseKind): void {
  const where = { database, storage };

  it('a save that meets a revoked session is kept, and published automatically after the account has signed in again', async () => {
    const story = await Story.begin(network, { ...where, pendingSyncs: { autoRetry: true } });
    const { app, account } = story;
    await story.save('before');
    expect(story.told()).toEqual(['SessionAuthenticated', 'RecordPublished']);

    await network.revokeSessions(account);
    const refused = { code: 'OAUTH_SESSION_INVALID', committed: true, did: account.did, entityName: 'Post' };
    await expect(story.save('while signed out')).rejects.toMatchObject({ ...refused, entityId: '2' });
    expect(await app.repository(Post).countBy({ content: 'while signed out' })).toBe(1);
    expect(await app.parity.countPendingSyncs(account.did)).toBe(1);
    expect(story.told()).toEqual(['SessionInvalidated', 'SyncFailed', 'PendingSyncCaptured']);
    expect(await app.module.get(PendingSyncManager).forDid(account.did)).toEqual([
      expect.objectContaining({ entityName: 'Post', entityId: '2', operation: 'publish', attempts: 0 }),
    ]);

    // The lane is parked: no entry is attempted, and every save sends its user to sign in.
    await expect(story.save('also while signed out')).rejects.toMatchObject({ ...refused, entityId: '3' });
    expect(story.told()).toEqual(['PendingSyncCaptured']);

    await story.signIn();
    await until(async () => !(await app.parity.hasPendingSyncs(account.did)));
    expect(await story.records()).toEqual(['also while signed out', 'before', 'while signed out']);
    expect(story.told()).toEqual([
      'SessionAuthenticated',
      'RecordPublished',
      'RecordPublished',
      'PendingSyncRetried',
      'PendingSyncRetried',
    ]);
    const post = await app.repository(Post).findOneByOrFail({ content: 'while signed out' });
    expect((await network.getRecord(post.getAtpUri()!))?.cid).toBe(post.getAtpCid());
    await app.stop();
  });

  it('without autoRetry new changes go through at once after the sign-in, and the backlog waits for a retry by hand', async () => {
    const story = await Story.begin(network, { ...where, pendingSyncs: { autoRetry: false } });
    const { app, account } = story;
    await network.revokeSessions(account);
    await expect(story.save('kept')).rejects.toBeInstanceOf(OAuthSessionInvalidError);
    await expect(app.parity.retryPendingSyncs(account.did)).rejects.toBeInstanceOf(OAuthSessionInvalidError);
    expect(await app.module.get(PendingSyncManager).forDid(account.did)).toEqual([
      expect.objectContaining({ attempts: 0 }),
    ]);

    await story.signIn();
    expect((await story.save('new')).hasAtpRecord()).toBe(true);
    expect(await story.records()).toEqual(['new']);

    const [result, again] = await Promise.all([
      app.parity.retryPendingSyncs(account.did),
      app.parity.retryPendingSyncs(account.did),
    ]);
    expect(result).toMatchObject({ total: 1, succeeded: 1, failed: 0, skipped: 0, errors: [] });
    expect(again.isEmpty()).toBe(true);
    expect(await story.records()).toEqual(['kept', 'new']);
    expect(await app.parity.hasPendingSyncs(account.did)).toBe(false);
    await app.stop();
  });

  it('a delete whose row is gone is kept, and done automatically after the account has signed in again', async () => {
    const story = await Story.begin(network, { ...where, pendingSyncs: { autoRetry: true } });
    const { app, account } = story;
    const post = await story.save('to go');
    await network.revokeSessions(account);
    await expect(app.repository(Post).remove(post)).rejects.toBeInstanceOf(OAuthSessionInvalidError);
    expect(await app.repository(Post).count()).toBe(0);
    expect(await story.records()).toEqual(['to go']);

    await story.signIn();
    await until(async () => !(await app.parity.hasPendingSyncs(account.did)));
    expect(await story.records()).toEqual([]);
    expect(story.told().slice(-3)).toEqual([
      'SessionAuthenticated',
      'RecordUnpublished',
      'PendingSyncRetried',
    ]);
    await app.stop();
  });
}
