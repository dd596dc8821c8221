import { ModuleRef } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { AppPasswordSessionProvider, ParityService } from 'nestjs-parity';
import { partsOf } from '../support/pending-parts.js';
import { RepositoryStateStore } from '../../lib/pds/repository-state.store.js';
import { Awaits } from './awaits.js';
import { Doomed, idle } from './doomed.js';
import type { KillProcessInput } from './kill-process.js';
import { notebookApplication } from './notebook-application.js';

export async function live({ pdsUrl, database, accounts, seed, death }: KillProcessInput): Promise<void> {
  const awaits = new Awaits();
  awaits.onUnknown = (point) => void process.send?.(point);
  const dids = accounts.map(({ did }) => did);
  const sessions = new AppPasswordSessionProvider({
    service: pdsUrl,
    accounts: accounts.map(({ did, password }) => ({ identifier: did, password })),
    fetch: awaits.fetch,
  });
  awaits.watch(sessions, ['agentFor', 'sessionId']);
  let doomed = null as Doomed | null;
  const app = await notebookApplication(database, { sessions, sync: { mode: 'background' } }, [
    {
      provide: Awaits,
      inject: [ModuleRef],
      useFactory: (modules: ModuleRef) => ({
        // Before the worker starts, which finds at once what the process before has left behind.
        onModuleInit: async () => {
          const get = <T>(token: symbol | Function): T => modules.get<T>(token, { strict: false });
          const dataSource = get<DataSource>(DataSource);
          const parity = () => get<ParityService>(ParityService);
          doomed = death && new Doomed(death, dids.at(-1)!, seed, awaits, dataSource, parity);
          await doomed?.prepare();
          const parts = partsOf(modules);
          awaits.watchWorker(parts.worker);
          awaits.watch(parts.store);
          awaits.watch(get(RepositoryStateStore), ['load', 'sending', 'settled']);
          await awaits.watchQueries(dataSource);
        },
      }),
    },
  ]);
  process.send?.('alive');
  await (doomed ? doomed.go() : idle(app.get(ParityService), dids)).catch(async (error: unknown) => {
    throw new Error(await storedIn(app.get(DataSource)), { cause: error });
  });
  await app.close();
}

/** What is pending, and in which lanes. */
async function storedIn(dataSource: DataSource): Promise<string> {
  const pending: unknown = await dataSource.query(
    'SELECT * FROM parity_ledger WHERE pending_since IS NOT NULL',
  );
  const lanes: unknown = await dataSource.query('SELECT * FROM parity_lane');
  return `${JSON.stringify({ now: Date.now() * 1_000, pending, lanes }, null, 1)}`;
}
