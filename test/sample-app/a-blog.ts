import { Logger, type INestApplication } from '@nestjs/common';
import { LocalNetwork, type Account } from 'nestjs-parity/testing';
import { createApp } from '../../sample-app/create-app.js';
import { freePort } from '../../sample-app/free-port.js';
import { sharedNetwork } from '../support/shared-network.js';
import { Visitor } from './visitor.js';

/**
 * The sample application of the file's own, with two accounts.
 * @param own servers that the file may stop
 */
export function aBlog({ own = false } = {}) {
  let network: LocalNetwork;
  let app: INestApplication;
  let alice: Account;
  let bob: Account;
  let origin: string;

  beforeAll(async () => {
    network = own ? await LocalNetwork.start() : await sharedNetwork();
    alice = await network.createAccount({ handle: 'alice.test' });
    bob = await network.createAccount({ handle: 'bob.test' });
    const port = await freePort(0);
    origin = `http://127.0.0.1:${port}`;
    app = await createApp(network, port, { accounts: [alice, bob] });
    await app.listen(port, '127.0.0.1');
    // Failed syncs are what some tests are about.
    Logger.overrideLogger(false);
  }, 60_000);

  afterAll(async () => {
    await app?.close();
    if (own) await network?.stop();
  });

  /** Through the login form and the PDS's own pages, as a person does. */
  async function signIn(visitor: Visitor, account: Account, returnTo = ''): Promise<string | null> {
    const login = await visitor.submit('/login', { handle: account.handle, returnTo });
    const back = await network.signIn(login.headers.get('location') ?? '', account);
    const callback = await visitor.get(back.pathname + back.search);
    return callback.headers.get('location');
  }

  async function signedIn(account: Account): Promise<Visitor> {
    const visitor = new Visitor(origin);
    await signIn(visitor, account);
    return visitor;
  }

  return {
    get network() {
      return network;
    },
    get alice() {
      return alice;
    },
    get bob() {
      return bob;
    },
    visitor: () => new Visitor(origin),
    signIn,
    signedIn,
    texts: async (account: Account): Promise<unknown[]> =>
      (await network.listRecords(account.did, 'app.bsky.feed.post')).map(({ value }) => value['text']),
  };
}
