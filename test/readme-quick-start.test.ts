import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Test } from '@nestjs/testing';
import type { INestApplication, Type } from '@nestjs/common';
import { LocalNetwork, type Account } from 'nestjs-parity/testing';
import { freePort } from '../sample-app/free-port.js';
import { extractExamples, groupExamples, writeExamples } from './support/readme.js';

const scratch = resolve(import.meta.dirname, '.readme/quick-start');
let network: LocalNetwork;
let app: INestApplication;
let alice: Account;
let origin: string;
let folder: string;
let lines: string[];

beforeAll(async () => {
  const readme = await readFile(resolve(import.meta.dirname, '../README.md'), 'utf8');
  network = await LocalNetwork.start();
  alice = await network.createAccount({ handle: 'alice.test' });
  const port = await freePort(0);
  origin = `http://127.0.0.1:${port}`;
  const here = (text: string): string => text.replaceAll('127.0.0.1:3000', `127.0.0.1:${port}`);
  const examples = groupExamples(extractExamples(readme, 'README.md')).get('quick-start') ?? [];
  for (const example of examples) example.code = onThisMachine(here(example.code));
  const files = await writeExamples(examples, scratch);
  const file = [...files.keys()].find((path) => path.endsWith('app.module.ts'));
  const { AppModule } = (await import(file!)) as { AppModule: Type };
  const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
  app = module.createNestApplication({ forceCloseConnections: true, logger: false });
  await app.listen(port, '127.0.0.1');
  lines = here(readme)
    .split('\n')
    .filter((line) => line.startsWith('curl '));
  folder = await mkdtemp(join(tmpdir(), 'nestjs-parity-readme-'));
}, 180_000);

afterAll(async () => {
  await app?.close();
  await network?.stop();
  await rm(scratch, { recursive: true, force: true });
  if (folder) await rm(folder, { recursive: true });
});

/** With the three options that docs/sessions.md names for a PDS of one's own machine. */
const onThisMachine = (code: string): string =>
  code.replace(
    'oauth: {',
    `$& plcDirectoryUrl: '${network.plcUrl}', handleResolver: '${network.pdsUrl}', allowHttp: true,`,
  );

async function run(line: string): Promise<string> {
  return (await promisify(execFile)('sh', ['-c', line], { cwd: folder })).stdout.trim();
}

it('signs in and publishes by the lines of the quick start, and by the session alone', async () => {
  const [login, callback, post] = lines as [string, string, string];
  expect(lines).toHaveLength(3);
  expect(JSON.parse(await run(post))).toMatchObject({ statusCode: 401 });

  const url = await run(login.replace('alice.example.com', alice.handle));
  const back = await network.signIn(url, alice);
  // Where the browser ends, which has no cookie of curl's.
  const elsewhere = await fetch(back);
  expect([elsewhere.status, await elsewhere.json()]).toEqual([
    400,
    expect.objectContaining({ error: 'sign_in_failed', reason: 'other-browser' }),
  ]);
  expect(JSON.parse(await run(callback.replace(/'http.*'/, `'${back.href}'`)))).toEqual({
    did: alice.did,
    returnTo: '/',
  });

  const { uri } = JSON.parse(await run(post)) as { uri: string };
  expect((await network.getRecord(uri))?.value).toMatchObject({ text: 'Hello' });
  const forged = await fetch(`${origin}/posts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ did: alice.did, content: 'Not hers' }),
  });
  expect(forged.status).toBe(401);
});

it('answers a dead session, a misspelled handle and a refused consent with what the user can do', async () => {
  const [, , post] = lines as [string, string, string];
  await network.revokeSessions(alice);
  const dead = JSON.parse(await run(post)) as { authorizeUrl: string };
  expect(dead).toMatchObject({ error: 'reauthentication_required', did: alice.did, saved: true });

  // The filter's way leads to the quick start's own /login.
  const login = await fetch(origin + dead.authorizeUrl, { redirect: 'manual' });
  const cookie = login.headers.getSetCookie()[0]!.split(';')[0]!;
  const back = await network.signIn(login.headers.get('location')!, alice, { deny: true });
  for (const [path, reason] of [
    [back.href, 'access-denied'],
    [`${origin}/login?handle=nobody.test`, 'handle-not-found'],
    [`${origin}/login`, 'handle-not-found'],
  ]) {
    const answer = await fetch(path!, { headers: { cookie } });
    expect([answer.status, await answer.json()]).toEqual([
      400,
      expect.objectContaining({ error: 'sign_in_failed', reason }),
    ]);
  }
  await network.stopPds();
  const outage = await fetch(`${origin}/login?handle=${alice.handle}`);
  expect([outage.status, await outage.json()]).toEqual([
    503,
    expect.objectContaining({ error: 'temporarily_unavailable' }),
  ]);
});
