import { setTimeout as wait } from 'node:timers/promises';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Card, notebook, Owner, Profile } from '../support/entities/notebook.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { Item, Member, membership } from '../support/entities/membership.js';
import { together } from '../support/entities/model.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

for (const kind of databaseKinds) {
  describeDatabase(kind)(`an entity that asks for no record at an address with one (${kind})`, () => {
    let app: ParityApp;
    let did: string;

    beforeEach(async () => {
      const account = await signedIn(servers);
      ({ did } = account);
      app = await aParityApp({
        model: together(notebook, membership),
        sessions: account.sessions,
        database: kind,
        storage: 'database',
      });
    });
    afterEach(() => app.stop());

    const records = async (name: string): Promise<unknown[]> => {
      await until(async () => !(await app.parity.hasPendingSyncs(did)));
      const found = await servers.network.listRecords(did, `com.example.${name}`);
      return found.map(({ value }) => value['text']);
    };

    it('is published from its stored row, if it asks for that only because it has its owner in an older state', async () => {
      const [members, items] = [app.repository(Member), app.repository(Item)];
      const user = await members.save({ id: 1, did, active: true });
      await items.save(items.create({ id: 1, text: 'one', publishAt: null, user }));
      await members.save({ id: 1, active: false });
      const stale = await items.findOneOrFail({ where: { id: 1 }, relations: { user: true } });
      await members.save({ id: 1, active: true });
      await app.parity.touch(await items.findOneByOrFail({ id: 1 }));
      await items.save(Object.assign(stale, { text: 'two' }));
      expect(await records('item')).toEqual(['two']);
    });

    it('loses that record, if it replaces an entity that was removed', async () => {
      const profiles = app.repository(Profile);
      const profile = await profiles.save(profiles.create({ did, text: 'one', open: true }));
      expect(await records('profile')).toEqual(['one']);
      await profiles.manager.transaction(async (manager) => {
        await manager.remove(profile);
        await manager.save(manager.create(Profile, { did, text: 'secret', open: false }));
      });
      expect(await records('profile')).toEqual([]);
    });

    // On SQLite's one connection a save outside joins the transaction.
    if (kind !== 'sqlite') {
      it('is published from its stored row, if another transaction asks for that', async () => {
        const cards = app.repository(Card);
        const user = await app.repository(Owner).save({ id: 1, did });
        const card = await cards.save(cards.create({ deck: 'a', place: 1, text: 'one', open: true, user }));
        await cards.save(Object.assign(card, { open: false }));
        const load = () => cards.findOneOrFail({ where: { deck: 'a', place: 1 }, relations: { user: true } });
        const [opened, edited] = [await load(), await load()];
        let saved: Promise<unknown> = Promise.resolve();
        await cards.manager.transaction(async (manager) => {
          await manager.save(Object.assign(opened, { open: true }));
          saved = cards.save(Object.assign(edited, { text: 'two' }));
          await wait(500);
        });
        await saved;
        expect(await records('card')).toEqual(['two']);
      });
    }
  });
}
