/**
 * What the memory of a process grows by while it drains 100,000 pending syncs (PARITY_BENCH_PENDING: another number), 1,000 of each
 * account. They are saved by another process, so that the one that drains begins fresh. `node bench/dist/memory.js`
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { LocalNetwork, type Account } from 'nestjs-parity/testing';
import { onEachDatabase } from './support/databases.js';
import { report, type Ratio } from './support/measure.js';
import type { DrainInput, Drained } from './support/drain-process.js';

const PENDING = Number(process.env['PARITY_BENCH_PENDING'] ?? 100_000);
const EACH = 1_000;
/** In MB. */
const LIMIT = 150;
/**
 * What V8 may take for old objects, in MB. Left to itself it does not collect them before their garbage is some three times as much as
 * what is in use, so without a limit this measures how V8 goes about a machine that has room; with one, what the work needs.
 */
const HEAPS = [undefined, 192];

const network = await LocalNetwork.start();
const accounts: Account[] = [];
for (let number = 1; number <= PENDING / EACH; number++)
  accounts.push(await network.createAccount({ handle: `bench${number}.test` }));

const ratios: Ratio[] = [];
await onEachDatabase(async (kind, { entities: _entities, ...database }) => {
  const input = { pdsUrl: network.pdsUrl, accounts, each: EACH, database };
  for (const heap of HEAPS) {
    await inProcess({ ...input, task: 'save' });
    const { idle, most, seconds, left } = await inProcess({ ...input, task: 'drain' }, heap);
    const time = `${Math.round(most - idle)} MB more, in ${Math.round(seconds)} s`;
    ratios.push({
      what:
        `${kind}: what ${PENDING} pending syncs add to an idle process while they are drained, of ${LIMIT} MB` +
        (heap ? `, with a heap of at most ${heap} MB` : ''),
      ratio: left === 0 ? (most - idle) / LIMIT : Infinity,
      limit: 1,
      ours: most,
      theirs: idle,
      unit: 'MB',
      notes: left === 0 ? time : `${time}; ${left} are still pending`,
    });
  }
});
await network.stop();
report(ratios);

async function inProcess(input: DrainInput, heap?: number): Promise<Drained> {
  const file = fileURLToPath(new URL('support/drain-process.js', import.meta.url));
  const limit = heap ? [`--max-old-space-size=${heap}`] : [];
  const child = fork(file, { execArgv: ['--expose-gc', ...limit] });
  child.send(input);
  const [answer] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`${input.task} ended with ${code}`))),
  ])) as [Drained];
  if (child.exitCode === null) await once(child, 'exit');
  return answer;
}
