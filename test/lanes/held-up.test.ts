import { setTimeout as sleep } from 'node:timers/promises';
import { parityEntities, ParityService } from 'nestjs-parity';
import { FaultyNetwork, isWrite } from '../pds/fixtures.js';
import { notebook, notebookMappers, Profile } from '../property/notebook.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { html } from '../support/fault-proxy.js';
import { ParityApp } from '../support/parity-app.js';
import { signedIn } from '../support/signed-in.js';
import { until } from '../support/until.js';

let app: ParityApp;
afterEach(() => app.stop());

for (const kind of databaseKinds.filter((one) => one !== 'sqlite')) {
  describeDatabase(kind)(`an entry that a transaction holds while it is settled (${kind})`, () => {
    it('is settled later, though that transaction is rolled back and its first try failed', async () => {
      await using servers = await FaultyNetwork.start();
      const { did, sessions } = await signedIn(servers);
      app = await ParityApp.start({
        entities: [...notebook, ...parityEntities] as Function[],
        database: kind,
        parity: {
          sessions,
          pendingSyncs: { enabled: true, storage: 'database', autoRetry: true },
          sync: { mode: 'background' },
          mappers: notebookMappers,
        },
      });
      const parity = app.module.get(ParityService);
      const profiles = app.repository(Profile);
      await profiles.save(profiles.create({ did, text: 'a', open: true }));
      await until(async () => !(await parity.hasPendingSyncs(did)));

      const arrived = Promise.withResolvers<void>();
      const go = Promise.withResolvers<void>();
      servers.proxy.fault(isWrite, html(502), 3);
      servers.proxy.fault(isWrite, async (exchange) => {
        arrived.resolve();
        await go.promise;
        exchange.respond(await exchange.forward());
      });
      await profiles.delete({ did });
      await arrived.promise;
      const again = app.dataSource.transaction(async (manager) => {
        await manager.save(manager.create(Profile, { did, text: 'b', open: true }));
      });
      // After the capture: the commit finds a reason not to.
      const undo = {
        beforeTransactionCommit: async () => {
          await sleep(300);
          go.resolve();
          await until(async () => (await parity.stats()).leased === 0);
          throw new Error('undo');
        },
      };
      app.dataSource.subscribers.push(undo as never);
      await expect(again).rejects.toThrow('undo');
      app.dataSource.subscribers.pop();
      await until(async () => !(await parity.hasPendingSyncs(did)));
      expect(await profiles.count()).toBe(0);
    });
  });
}
