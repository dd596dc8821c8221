import fc from 'fast-check';
import { FaultyNetwork } from '../support/faulty-network.js';
import { describeDatabase, type DatabaseKind } from '../support/databases.js';
import { batches } from './batches.js';
import { kindsOn } from './kinds.js';
import { Stage } from './stage.js';
import { Stages } from './stages.js';
import { anySteps } from './steps.js';
import { World } from './world.js';

const DAY = 86_400_000;

/** Whatever happens to applications on this database, rule 1 holds in the end, and nothing was given up. */
export function everySequenceEndsInParity(database: DatabaseKind): void {
  let servers: FaultyNetwork;
  beforeAll(async () => {
    servers = await FaultyNetwork.start();
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  const rejections: unknown[] = [];
  const rejected = (reason: unknown): void => void rejections.push(reason);
  beforeAll(() => void process.on('unhandledRejection', rejected));
  afterAll(() => void process.off('unhandledRejection', rejected));

  for (const kind of kindsOn(database)) {
    describeDatabase(database)(`whatever happens (${Object.values(kind).join(', ')})`, () => {
      it(
        'the repositories agree with the entities in the end',
        async () => {
          await using stages = new Stages(kind, () => Stage.set(servers, kind));
          const endsInParity = fc.asyncProperty(anySteps, (steps) =>
            stages.use(async (stage) => {
              const { expected, actual, problems } = await World.on(stage, steps);
              expect(actual).toEqual(expected);
              expect(problems).toEqual([]);
              expect(rejections.splice(0)).toEqual([]);
            }),
          );
          for (const batch of batches()) await fc.assert(endsInParity, batch);
        },
        DAY,
      );
    });
  }
}
