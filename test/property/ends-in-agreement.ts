import fc from 'fast-check';
import { FaultyNetwork } from '../support/faulty-network.js';
import { describeDatabase, type DatabaseKind } from '../support/databases.js';
import { batches } from './batches.js';
import { InboundPropertyStage } from './inbound-stage.js';
import { anyInboundSequence } from './inbound-steps.js';
import { InboundWorld } from './inbound-world.js';
import { kindsOn } from './kinds.js';
import { Stages } from './stages.js';

const DAY = 86_400_000;
/** For each kind of application, without another number of runs. */
const SECONDS = Number(process.env['PARITY_PROPERTY_SECONDS'] ?? 6);

/**
 * Whoever changes rows and records, and in whatever order it is heard: both are the same in the end, nothing
 * is overwritten unseen, and what was only heard is not published.
 */
export function everySequenceEndsInAgreement(database: DatabaseKind): void {
  let servers: FaultyNetwork;
  beforeAll(async () => {
    servers = await FaultyNetwork.start();
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  const rejections: unknown[] = [];
  const rejected = (reason: unknown): void => void rejections.push(reason);
  beforeAll(() => void process.on('unhandledRejection', rejected));
  afterAll(() => void process.off('unhandledRejection', rejected));

  for (const kind of kindsOn(database).filter(({ storage }) => storage === 'database')) {
    describeDatabase(database)(`whoever changes them (${Object.values(kind).join(', ')})`, () => {
      it(
        'rows and records are the same in the end',
        async () => {
          await using stages = new Stages(kind, () => InboundPropertyStage.set(servers, kind));
          const endsInAgreement = fc.asyncProperty(anyInboundSequence, (sequence) =>
            stages.use(async (stage) => {
              const { rows, records, problems } = await InboundWorld.on(stage, sequence);
              expect(problems).toEqual([]);
              expect(rows).toEqual(records);
              expect(rejections.splice(0)).toEqual([]);
            }),
          );
          for (const batch of batches(SECONDS)) await fc.assert(endsInAgreement, batch);
        },
        DAY,
      );
    });
  }
}
