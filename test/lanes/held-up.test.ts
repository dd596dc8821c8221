import { setTimeout as sleep } from 'node:timers/promises';
import { ParityService } from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import { notebook, Profile } from '../support/entities/notebook.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { html, isWrite } from '../support/fault-proxy.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';

let app: ParityApp;
afterEach(() => app.stop());

for (const kind of databaseKinds.filter((one) => one !== 'sqlite')) {
  describeDatabase(kind)(`an entry that a transaction holds while it is settled (${kind})`, () => {
    it('is settled later, although that transaction is rolled back and the first attempt failed', async () => {
      await using servers = await FaultyNetwork.start();
      const { did, sessions } = await signedIn(servers);
      app = await aParityApp({
        model: notebook,
        sessions,
        database: kind,
        mode: 'background',
        storage: 'database',
        pendingSyncs: { autoRetry: true },
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
