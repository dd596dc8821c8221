import { FaultyNetwork } from '../support/faulty-network.js';
import { Post, User, blog } from '../support/entities/blog.js';
import { answer, isWrite } from '../support/fault-proxy.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { type Sessions, signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';

let servers: FaultyNetwork;
let sessions: Sessions;
let app: ParityApp;
let did: string;
let user: User;

beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());
afterEach(() => app.stop());

const start = async (mode: 'inline' | 'background', autoRetry = true): Promise<void> => {
  ({ did, sessions } = await signedIn(servers));
  app = await aParityApp({
    model: blog,
    sessions,
    mode,
    storage: 'database',
    pendingSyncs: { autoRetry },
  });
  user = await app.repository(User).save({ did } as User);
};
const save = (content: string): Promise<Post> =>
  app.repository(Post).save(app.repository(Post).create({ content, user }));
const texts = async (): Promise<unknown[]> =>
  (await servers.network.listRecords(did, 'app.bsky.feed.post')).map(({ value }) => value['text']);

describe.each(['inline', 'background'] as const)('a session whose sign-in event was lost (%s)', (mode) => {
  it('voids the park with the next change', async () => {
    await start(mode);
    sessions.revoke(did);
    await save('one').catch(() => undefined);
    await until(async () => (await app.parity.stats()).parked === 1);
    // In another process, which died before it could tell.
    sessions.signIn(did);
    await save('two');
    await until(async () => (await app.parity.stats()).pending === 0);
    expect((await texts()).toSorted()).toEqual(['one', 'two']);
  });
});

const scope = {
  error: 'ScopeMissingError',
  message: 'Missing scope "repo:app.bsky.feed.post?action=create"',
};
const session = { error: 'AuthMissing', message: 'no' };

it.each([
  ['the scope', scope, true],
  ['the scope', scope, false],
  ['the session', session, true],
  ['the session', session, false],
])(
  'an account that signs in while %s of its old session is refused waits for no other sign-in, nor for a retry by hand',
  async (_, body, autoRetry) => {
    await start('background', autoRetry);
    servers.proxy.fault(isWrite, async (exchange) => {
      sessions.signIn(did);
      await app.parity.sessionAvailable(did);
      await answer(403, body)(exchange);
    });
    await save('one');
    await until(async () => (await texts()).length === 1);
    await until(async () => (await app.parity.stats()).pending === 0);
    expect(await texts()).toEqual(['one']);
  },
);
