import { readFile, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { INestApplication, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { AppPasswordSessionProvider, SessionProvider } from 'nestjs-parity';
import { LocalNetwork } from 'nestjs-parity/testing';
import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { extractExamples, groupExamples, writeExamples } from './support/readme.js';

const scratch = resolve(import.meta.dirname, '.readme/quick-start');

it('the quick start of the README runs: what is posted is saved and published', async () => {
  const examples = extractExamples(await readFile(resolve(import.meta.dirname, '../README.md'), 'utf8'));
  const files = await writeExamples(groupExamples(examples).get('quick-start') ?? [], scratch);
  const file = [...files.keys()].find((path) => path.endsWith('app.module.ts'));
  const { AppModule } = (await import(resolve(scratch, file!))) as { AppModule: Type };
  const network = await LocalNetwork.start();
  const { did, password } = await network.createAccount({ handle: 'alice.test' });
  // The README's client signs in at the real network; everything else is as it stands there.
  const sessions = new AppPasswordSessionProvider({
    service: network.pdsUrl,
    accounts: [{ identifier: did, password }],
  });
  let app: INestApplication | undefined;
  try {
    const module = await Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(SessionProvider)
      .useValue(sessions)
      .compile();
    app = module.createNestApplication();
    await app.listen(0);
    const dataSource = module.get<DataSource>(getDataSourceToken(), { strict: false });
    await dataSource.getRepository('User').save({ did });
    const response = await fetch(`${await app.getUrl()}/posts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ did, content: 'From the README' }),
    });
    expect(response.status).toBe(201);
    const { uri } = (await response.json()) as { uri: string };
    expect((await network.getRecord(uri))?.value).toMatchObject({ text: 'From the README' });
  } finally {
    await app?.close();
    await network.stop();
    await rm(scratch, { recursive: true });
  }
});
