import { jest } from '@jest/globals';
import { Note, notebook, Owner } from '../support/entities/notebook.js';
import { FaultyNetwork } from '../support/faulty-network.js';
import { aParityApp } from '../support/parity-app.js';
import { partsOf } from '../support/pending-parts.js';
import { signedIn } from '../support/sessions.js';

let servers: FaultyNetwork;

beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

it.each(['inline', 'background'] as const)(
  'a change that cannot be captured after its commit is no secret of the log (%s)',
  async (mode) => {
    const { did, sessions } = await signedIn(servers);
    const app = await aParityApp({ model: notebook, sessions, mode, storage: 'database' });
    const user = await app.repository(Owner).save({ id: 1, did });
    const saved = await app.repository(Note).save(app.repository(Note).create({ text: 'a', user }));
    await app.parity.runOnce();
    const { store } = partsOf(app.module);
    const spy = jest.spyOn(store, 'capture').mockRejectedValue(new Error('no disk'));
    await expect(app.parity.touch(saved)).rejects.toThrow('no disk');
    spy.mockRestore();
    await app.stop();
  },
);
