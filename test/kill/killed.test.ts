import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parityEntities } from 'nestjs-parity';
import { LocalNetwork, type Account } from 'nestjs-parity/testing';
import type { DataSource } from 'typeorm';
import { notebook, Owner } from '../property/notebook.js';
import { parityOf } from '../property/rule-one.js';
import {
  describeDatabase,
  freshDataSource,
  type DatabaseKind,
  type FreshDatabase,
} from '../support/databases.js';
import type { KillProcessInput } from './kill-process.js';
import { random } from './random.js';

/** On each database; `npm run test:kill` takes 100. */
const KILLS = Number(process.env['PARITY_KILLS'] ?? 6);
const SEED = Number(process.env['PARITY_KILL_SEED'] ?? 1);
/** Awaits of a process that are counted; about as many as there are up to the third batch of writes. */
const AWAITS = 240;

let network: LocalNetwork;
beforeAll(async () => {
  network = await LocalNetwork.start();
});
afterAll(() => network.stop());

for (const kind of ['sqlite', 'postgres'] satisfies DatabaseKind[]) {
  describeDatabase(kind)(`killed ${KILLS} times (${kind})`, () => {
    it(
      'the repositories agree with the database in the end, and nothing was created twice',
      async () => {
        const accounts = await Promise.all(
          [1, 2].map((id) => network.createAccount({ handle: `killed-${kind}-${id}.test` })),
        );
        const database = await freshDataSource(kind, [...notebook, ...parityEntities]);
        await onDatabase(database, (dataSource) =>
          dataSource.manager.save(accounts.map(({ did }, id) => Object.assign(new Owner(), { id, did }))),
        );
        const { integer } = random(SEED);
        for (let kill = 0; kill < KILLS; kill++) {
          // Every second time at a moment that no await chooses.
          const atRandom = kill % 2 === 1;
          const dieAt = atRandom ? 1_000_000 : 1 + ((kill * AWAITS) / KILLS + integer(8));
          const life = begin(database, accounts, { seed: SEED * 1_000 + kill, dieAt: Math.floor(dieAt) });
          if (atRandom)
            life.child.once('message', () => setTimeout(() => life.child.kill('SIGKILL'), integer(500)));
          expect(await life.ended()).toEqual({ signal: 'SIGKILL', code: null });
          await twoMinutesLater(database);
        }
        const last = begin(database, accounts, { seed: SEED * 1_000 + KILLS, dieAt: null });
        expect(await last.ended()).toEqual({ signal: null, code: 0 });

        const dids = accounts.map(({ did }) => did);
        await onDatabase(database, async (dataSource) => {
          const { expected, actual } = await parityOf(dataSource, network, dids);
          expect(actual).toEqual(expected);
          expect(
            await dataSource.query(
              'SELECT uri_of.* FROM parity_ledger uri_of WHERE pending_since IS NOT NULL OR dead_at IS NOT NULL',
            ),
          ).toEqual([]);
        });
        for (const did of dids) expect(await createdTwice(did)).toEqual([]);
        await database.cleanup();
      },
      60_000 + KILLS * 10_000,
    );
  });
}

function begin(
  { options }: FreshDatabase,
  accounts: readonly Account[],
  rest: Pick<KillProcessInput, 'seed' | 'dieAt'>,
) {
  const { entities: _entities, ...database } = options;
  const input: KillProcessInput = {
    pdsUrl: network.pdsUrl,
    database,
    accounts: accounts.map(({ did, password }) => ({ did, password })),
    ...rest,
  };
  const file = fileURLToPath(new URL('kill-process.ts', import.meta.url));
  const child = fork(file, [JSON.stringify(input)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  return {
    child,
    async ended(): Promise<{ signal: string | null; code: number | null }> {
      const [code, signal] = (await ended) as [number | null, string | null];
      return { signal, code };
    },
  };
}

/** What a dead process had leased is free after two minutes; nobody wants to wait for them here. */
const twoMinutesLater = (database: FreshDatabase): Promise<void> =>
  onDatabase(database, async (dataSource) => {
    const earlier = ['ready_at', 'retry_at', 'unparked_at', 'backlog_before'].map(
      (name) => `${name} = ${name} - 120000000`,
    );
    await dataSource.query(`UPDATE parity_lane SET ${earlier.join(', ')}`);
    const times = ['pending_since', 'changed_at', 'created_at', 'tried_at'].map(
      (name) => `${name} = ${name} - 120000000`,
    );
    await dataSource.query(`UPDATE parity_ledger SET ${times.join(', ')}`);
  });

async function onDatabase(
  database: FreshDatabase,
  work: (dataSource: DataSource) => Promise<unknown>,
): Promise<void> {
  const dataSource = await database.open();
  try {
    await work(dataSource);
  } finally {
    await dataSource.destroy();
  }
}

/** Addresses that were created while there was a record, or, but for fixed record keys, more than once. */
async function createdTwice(did: string): Promise<string[]> {
  const present = new Set<string>();
  const twice: string[] = [];
  for (const { action, path } of (await network.commits(did)).flatMap(({ ops }) => ops)) {
    if (action === 'create' && present.has(path)) twice.push(path);
    if (action === 'delete') present.delete(path);
    else present.add(path);
  }
  return twice;
}
