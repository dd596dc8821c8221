import { AppPasswordSessionProvider, OAuthSessionInvalidError } from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';
import { blog, Post, User } from '../support/entities/blog.js';
import { aDatabaseFor, aParityApp, type ParityApp } from '../support/parity-app.js';
import { sharedNetwork } from '../support/shared-network.js';

let network: LocalNetwork;

beforeAll(async () => {
  network = await sharedNetwork();
});

it('two processes with one refused app password leave the park to each other, and send nothing', async () => {
  const { did } = await network.createAccount({ handle: 'robot.test' });
  const database = await aDatabaseFor('sqlite', blog);
  const apps: ParityApp[] = [];
  let requests = 0;
  for (let process = 0; process < 2; process++) {
    const sessions = new AppPasswordSessionProvider({
      service: network.pdsUrl,
      accounts: [{ identifier: did, password: 'revoked' }],
      fetch: (input, init) => {
        requests += 1;
        return fetch(input, init);
      },
      rememberRefusal: 0,
    });
    apps.push(await aParityApp({ model: blog, sessions, database, storage: 'database' }));
  }
  const [one, other] = apps as [ParityApp, ParityApp];
  const user = await one.repository(User).save({ did } as User);
  const refused = (app: ParityApp): Promise<void> =>
    expect(
      app.repository(Post).save(app.repository(Post).create({ content: 'hello', user })),
    ).rejects.toBeInstanceOf(OAuthSessionInvalidError);

  await refused(one);
  expect(requests).toBe(1);
  for (const app of [other, one, other]) await refused(app);
  expect(requests).toBe(1);

  for (const app of apps) await app.stop();
  await database.cleanup();
});
