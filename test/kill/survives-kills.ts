import { parityEntities } from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';
import { FaultyNetwork } from '../pds/fixtures.js';
import { notebook, Owner } from '../property/notebook.js';
import { parityOf } from '../property/rule-one.js';
import { describeDatabase, freshDataSource, type DatabaseKind } from '../support/databases.js';
import { seedsOf } from '../support/seed.js';
import { deaths, nameOf } from './death.js';
import { DONE, endOf, live, onDatabase, type World } from './life.js';
import { isRare, POINTS } from './points.js';

/** On each database; `npm run test:kill` takes 300. */
const KILLS = Number(process.env['PARITY_KILLS'] ?? 15);
const [SEED] = seedsOf('PARITY_KILL_SEED');

/** However processes die on this database, rule 1 holds in the end, and nothing was created twice. */
export function survivesKills(kind: DatabaseKind): void {
  let servers: FaultyNetwork;
  beforeAll(async () => {
    servers = await FaultyNetwork.start();
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  describeDatabase(kind)(`killed ${KILLS} times (${kind})`, () => {
    it(
      'the repositories agree with the database in the end, and nothing was created twice',
      async () => {
        const accounts = [await servers.account(), await servers.account(), await servers.account()];
        const dids = accounts.map(({ did }) => did);
        const database = await freshDataSource(kind, [...notebook, ...parityEntities]);
        await onDatabase(database, (dataSource) =>
          dataSource.manager.save(dids.slice(0, 2).map((did, id) => Object.assign(new Owner(), { id, did }))),
        );
        const world: World = { servers, database, accounts };

        const died = new Map<string, number>();
        for (const [index, death] of deaths(KILLS, SEED).entries()) {
          const end = await live(world, SEED * 1_000 + index, death);
          const mayMiss = death.kind === 'at-point' && isRare(death.point);
          expect({ death, ...end }).toEqual({ death, ...endOf(death, end), there: end.there || !mayMiss });
          const name = end.there ? nameOf(death) : `in vain for ${nameOf(death)}`;
          died.set(name, (died.get(name) ?? 0) + 1);
        }
        expect(await live(world, SEED, null)).toEqual(DONE);

        await onDatabase(database, async (dataSource) => {
          const { expected, actual } = await parityOf(dataSource, servers.network, dids);
          expect(actual).toEqual(expected);
          const open =
            'SELECT l.* FROM parity_ledger l WHERE pending_since IS NOT NULL OR dead_at IS NOT NULL';
          expect(await dataSource.query(open)).toEqual([]);
        });
        for (const did of dids) expect(await createdTwice(servers.network, did)).toEqual([]);
        expect(KILLS < 100 ? [] : POINTS.filter((point) => !isRare(point) && !died.has(point))).toEqual([]);
        tell(`${kind}: ${[...died].map(([name, times]) => `${name} (${times})`).join(', ')}`);
        await database.cleanup();
      },
      60_000 + KILLS * 15_000,
    );
  });
}

const tell = (line: string): void => void process.stdout.write(`Killed, ${line}\n`);

/** Addresses that were created more than once; a fixed record key may be, after a delete. */
async function createdTwice(network: LocalNetwork, did: string): Promise<string[]> {
  const used = new Set<string>();
  const twice: string[] = [];
  for (const { action, path } of (await network.commits(did)).flatMap(({ ops }) => ops)) {
    if (action === 'create' && used.has(path)) twice.push(path);
    if (action === 'create') used.add(path);
    if (action === 'delete' && path.endsWith('/self')) used.delete(path);
  }
  return twice;
}
