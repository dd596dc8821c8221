/**
 * Reading a repository of 100,000 records (PARITY_BENCH_RECORDS: another number), small ones and some that make 100 MB, against a bare
 * walk with @atproto/repo, which compares the hashes, too. Each reading has a process of its own, which begins fresh.
 * `node bench/dist/reading.js`
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { LocalNetwork } from 'nestjs-parity/testing';
import { median, report, type Ratio } from './support/measure.js';
import type { ReadingInput, ReadingResult } from './support/reading-process.js';

const RECORDS = Number(process.env['PARITY_BENCH_RECORDS'] ?? 100_000);
const ROUNDS = Number(process.env['PARITY_BENCH_ROUNDS'] ?? 3);
/** Of a commit. */
const WRITES = 200;
/** In MB. */
const LIMIT = 150;
/** As slow as 0.7 of the speed of the bare walk. */
const SLOWEST = 1 / 0.7;

const ratios: Ratio[] = [];
const network = await LocalNetwork.start();
try {
  for (const [name, length] of [
    ['small', 100],
    ['large', 900],
  ] as const) {
    await using repository = await served(`${name}.test`, length);
    const times = { ours: [] as number[], bare: [] as number[] };
    const grown: number[] = [];
    let most: ReadingResult | undefined;
    for (let round = 0; round < ROUNDS; round++) {
      for (const how of round % 2 === 0 ? (['ours', 'bare'] as const) : (['bare', 'ours'] as const)) {
        const result = await inProcess({ ...repository.input, how });
        times[how].push(result.milliseconds);
        if (how === 'bare') continue;
        grown.push(result.most - result.idle);
        if (most === undefined || result.most > most.most) most = result;
      }
    }
    const megabytes = Math.round(repository.bytes / 1e6);
    const [ours, theirs] = [median(times.ours), median(times.bare)];
    ratios.push(
      {
        what: `reading ${RECORDS} records, ${megabytes} MB, against a bare walk`,
        ratio: ours / theirs,
        limit: SLOWEST,
        ours,
        theirs,
      },
      {
        what: `what ${megabytes} MB add to an idle process while they are read, of ${LIMIT} MB`,
        ratio: Math.max(...grown) / LIMIT,
        limit: 1,
        ours: most?.most ?? 0,
        theirs: most?.idle ?? 0,
        unit: 'MB',
      },
    );
  }
} finally {
  await network.stop();
}
report(ratios);

/** A repository of the real PDS, and a server that gives its CAR and its DID document without the work of a PDS. */
async function served(
  handle: string,
  length: number,
): Promise<AsyncDisposable & { readonly bytes: number; readonly input: Omit<ReadingInput, 'how'> }> {
  const account = await network.createAccount({ handle });
  const { did } = account;
  const agent = await network.agent(account);
  for (let start = 0; start < RECORDS; start += WRITES) {
    const writes = Array.from({ length: Math.min(WRITES, RECORDS - start) }, (_, index) => ({
      $type: 'com.atproto.repo.applyWrites#create' as const,
      collection: 'com.example.note',
      rkey: String(start + index).padStart(13, '0'),
      value: { $type: 'com.example.note', text: `${start + index} ${'x'.repeat(length)}`, langs: ['en'] },
    }));
    await agent.com.atproto.repo.applyWrites({ repo: did, validate: false, writes });
  }
  const answer = await fetch(`${network.pdsUrl}/xrpc/com.atproto.sync.getRepo?did=${did}`);
  const car = Buffer.from(await answer.arrayBuffer());
  const document = (await (await fetch(`${network.plcUrl}/${did}`)).json()) as { service: object[] };
  const server = createServer(({ url }, response) => {
    if (url?.startsWith('/xrpc/')) response.end(car);
    else {
      const serviceEndpoint = `http://localhost:${(server.address() as AddressInfo).port}`;
      response.end(JSON.stringify({ ...document, service: [{ ...document.service[0], serviceEndpoint }] }));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://localhost:${(server.address() as AddressInfo).port}`;
  return {
    bytes: car.length,
    input: { did, url, records: RECORDS },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function inProcess(input: ReadingInput): Promise<ReadingResult> {
  const file = fileURLToPath(new URL('support/reading-process.js', import.meta.url));
  const child = fork(file, { execArgv: ['--expose-gc'] });
  child.send(input);
  const [answer] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`${input.how} ended with ${code}`))),
  ])) as [ReadingResult];
  if (child.exitCode === null) await once(child, 'exit');
  return answer;
}
