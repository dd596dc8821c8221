import { FaultyNetwork } from '../support/faulty-network.js';
import { describeDatabase, type DatabaseKind } from '../support/databases.js';
import { seedsOf } from '../support/seed.js';
import { expectAgreement } from './agreement.js';
import { deaths, nameOf } from './death.js';
import { endOf, live } from './life.js';
import { isRare, POINTS } from './points.js';
import { aWorld } from './world.js';

/** On each database; `npm run test:kill` takes 300. */
const KILLS = Number(process.env['PARITY_KILLS'] ?? 8);
const [SEED] = seedsOf('PARITY_KILL_SEED');
const DAY = 86_400_000;

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
        await using world = await aWorld(servers, kind);
        const died = new Map<string, number>();
        for (const [index, death] of deaths(KILLS, SEED).entries()) {
          const end = await live(world, SEED * 1_000 + index, death);
          const mayMiss = death.kind === 'at-point' && isRare(death.point);
          expect({ death, ...end }).toEqual({ death, ...endOf(death, end), there: end.there || !mayMiss });
          const name = end.there ? nameOf(death) : `in vain for ${nameOf(death)}`;
          died.set(name, (died.get(name) ?? 0) + 1);
          if ((index + 1) % 50 === 0) tell(`${kind}: ${index + 1} times so far`);
        }
        await expectAgreement(world, SEED);
        expect(KILLS < 100 ? [] : POINTS.filter((point) => !isRare(point) && !died.has(point))).toEqual([]);
        tell(`${kind}: ${[...died].map(([name, times]) => `${name} (${times})`).join(', ')}`);
      },
      DAY,
    );
  });
}

const tell = (line: string): void => void process.stdout.write(`Killed, ${line}\n`);
