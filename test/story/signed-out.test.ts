import { OAuthSessionInvalidError, ParityService, SyncFailed, type ParityModuleOptions } from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Post, User, blog } from '../support/entities/blog.js';
import { html } from '../support/fault-proxy.js';
import { aParityApp } from '../support/parity-app.js';
import { signedIn } from '../support/sessions.js';

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

async function start(sync: ParityModuleOptions['sync']) {
  const { did, sessions } = await signedIn(servers);
  const app = await aParityApp({
    model: blog,
    sessions,
    parity: { ...(sync && { sync }) },
  });
  const user = await app.repository(User).save({ did } as User);
  const save = (content: string) => app.repository(Post).save(app.repository(Post).create({ content, user }));
  return { app, sessions, did, save };
}

describe('with pending syncs off', () => {
  it.each(['inline', 'request'] as const)(
    'an auth error is thrown after the commit, in mode %s',
    async (mode) => {
      const { app, sessions, did, save } = await start({ mode });
      sessions.revoke(did);
      const parity = app.module.get(ParityService);
      const write = mode === 'inline' ? save('saved') : parity.unitOfWork(() => save('saved'));
      await expect(write).rejects.toMatchObject({
        constructor: OAuthSessionInvalidError,
        did,
        committed: true,
      });
      expect(await app.repository(Post).countBy({ content: 'saved' })).toBe(1);
      expect(app.taken(SyncFailed)).toMatchObject([{ willRetry: false }]);
      await app.stop();
    },
  );

  it('every other failure is reported, and not thrown', async () => {
    const { app, save } = await start(undefined);
    servers.proxy.fault('com.atproto.repo.applyWrites', html(503), Infinity);
    expect((await save('saved')).hasAtpRecord()).toBe(false);
    expect(app.taken(SyncFailed)).toMatchObject([{ willRetry: false, error: { code: 'PDS_UNAVAILABLE' } }]);
    servers.proxy.reset();
    await app.stop();
  });
});
