import { FaultyNetwork } from '../support/faulty-network.js';
import { expectAgreement } from '../kill/agreement.js';
import { aWorld, BACKOFF_MINUTES, minutesLater } from '../kill/world.js';
import { describeDatabase, type DatabaseKind } from '../support/databases.js';
import { seedsOf } from '../support/seed.js';
import { Swarm } from './swarm.js';

/** `npm run test:swarm` takes ten. */
const MINUTES = Number(process.env['PARITY_SWARM_MINUTES'] ?? 0.5);
const [SEED] = seedsOf('PARITY_SWARM_SEED');

/**
 * Several processes write, die and start on this database: rule 1 holds in the end, and nothing was created
 * twice.
 */
export function survivesSwarm(kind: DatabaseKind): void {
  describeDatabase(kind)(`several processes that are killed and stopped for ${MINUTES} min (${kind})`, () => {
    it(
      'leave repositories that agree with the database, and create nothing twice',
      async () => {
        await using servers = await FaultyNetwork.start();
        await using world = await aWorld(servers, kind);
        const swarm = new Swarm(world, SEED);
        await swarm.live(MINUTES * 60_000);
        process.stdout.write(`Swarm, ${kind}: ${swarm.writes} writes, ${swarm.deaths} deaths\n`);
        await minutesLater(world, BACKOFF_MINUTES);
        await expectAgreement(world, SEED);
      },
      240_000 + MINUTES * 120_000,
    );
  });
}
