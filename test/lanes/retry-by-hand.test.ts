import { LaneWorker, type LaneWorkerOptions } from '../../lib/lanes/lane.worker.js';
import { isWrite } from '../support/fault-proxy.js';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Note, notebook, Owner } from '../support/entities/notebook.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aDatabaseFor, aParityApp, type ParityApp } from '../support/parity-app.js';
import { signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';
import { partsOf } from '../support/pending-parts.js';

let servers: FaultyNetwork;

beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

for (const kind of databaseKinds) {
  describeDatabase(kind)(`a retry by hand while another process works on the account (${kind})`, () => {
    /** Two processes; the first one is at its first request, which ends when `go` is called. */
    const twoProcesses = async () => {
      const { did, sessions } = await signedIn(servers);
      const database = await aDatabaseFor(kind, notebook);
      const start = async (): Promise<ParityApp> => {
        const app = await aParityApp({
          model: notebook,
          sessions,
          database,
          mode: 'background',
          storage: 'database',
          pendingSyncs: { autoRetry: true },
        });
        await partsOf(app.module).loop.stop();
        return app;
      };
      const [one, other] = [await start(), await start()];
      const user = await one.repository(Owner).save({ id: 1, did });
      const notes = one.repository(Note);
      await notes.save(notes.create(['a', 'b', 'c'].map((text) => ({ text, user }))));

      const arrived = Promise.withResolvers<void>();
      const { promise: going, resolve: go } = Promise.withResolvers<void>();
      servers.proxy.fault(isWrite, async (exchange) => {
        arrived.resolve();
        await going;
        exchange.respond(await exchange.forward());
      });
      const first = one.parity.retryPendingSyncs(did);
      await arrived.promise;
      const dispose = async (): Promise<void> => {
        await one.stop();
        await other.stop();
        await database.cleanup();
      };
      return { did, one, other, first, go, [Symbol.asyncDispose]: dispose };
    };

    /** Resolves when a process has asked for the lane this often. */
    const asked = async (app: ParityApp, times: number): Promise<void> => {
      const { store } = partsOf(app.module);
      const enter = store.enter.bind(store);
      let count = 0;
      store.enter = (...of) => {
        count += 1;
        return enter(...of);
      };
      await until(() => count >= times);
    };

    it('waits for that process, and counts what it has done', async () => {
      await using processes = await twoProcesses();
      const { did, other, first, go } = processes;
      const waiting = asked(other, 2);
      const second = other.parity.retryPendingSyncs(did);
      await waiting;
      go();
      const done = { total: 3, succeeded: 3, failed: 0, skipped: 0, errors: [] };
      expect(await first).toMatchObject(done);
      expect(await second).toMatchObject(done);
      expect(await other.parity.hasPendingSyncs(did)).toBe(false);
    });

    it('attempts what the other process left', async () => {
      await using processes = await twoProcesses();
      const { did, one, other, first, go } = processes;
      const waiting = asked(other, 2);
      const second = other.parity.retryPendingSyncs(did);
      await waiting;
      const notes = one.repository(Note);
      const user = await one.repository(Owner).findOneByOrFail({ did });
      await notes.save(notes.create({ text: 'd', user }));
      go();
      const results = [await first, await second];
      expect(results.map(({ failed }) => failed)).toEqual([0, 0]);
      expect(results[1]?.total).toBeGreaterThanOrEqual(3);
      expect(await other.parity.hasPendingSyncs(did)).toBe(false);
    });

    it('reports what is still pending once it has waited long enough', async () => {
      await using processes = await twoProcesses();
      const { did, other, first, go } = processes;
      const { options } = partsOf(other.module).worker as unknown as { options: LaneWorkerOptions };
      const impatient = new LaneWorker({ ...options, patience: 150 });
      const result = await impatient.work(did, { backlog: true });
      expect(result).toMatchObject({ total: 3, succeeded: 0, failed: 3 });
      expect(result.errors).toHaveLength(3);
      expect(result.errors[0]).toMatch(
        /^Another process still works on did:plc:\w+, and at:\/\/.* is pending\.$/,
      );
      go();
      expect(await first).toMatchObject({ total: 3, succeeded: 3 });
    });
  });
}
