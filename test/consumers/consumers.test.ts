import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalNetwork } from 'nestjs-parity/testing';
import { describeWith } from '../support/describe-with.js';
import {
  atprotoPeers,
  ConsumerProject,
  nodeOfVersion,
  packedParity,
  registryMissing,
  scratchFolder,
} from './consumer-project.js';

const whole = process.env['PARITY_CONSUMERS'] === 'all';
const peers = await atprotoPeers();
const describeProject = describeWith('the npm registry', await registryMissing());

const nest = (version: 11 | 12) => [
  ...['cli', 'schematics', 'common', 'core', 'platform-express', 'testing'].map(
    (name) => `@nestjs/${name}@${version}`,
  ),
  `@nestjs/event-emitter@${version === 11 ? 3 : 12}`,
  `@nestjs/typeorm@${version}`,
  'typeorm@1',
  'sql.js@1',
  'reflect-metadata@0.2',
  'rxjs@7',
  '@types/node@24',
  '@types/express@5',
];

describeProject('a project of the NestJS CLI', () => {
  let scratch: string;
  let parity: string;
  let network: LocalNetwork;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    scratch = await scratchFolder();
    network = await LocalNetwork.start();
    parity = await packedParity(scratch);
    const { did, password } = await network.createAccount({ handle: 'consumer.test' });
    env = { PDS_URL: network.pdsUrl, PDS_DID: did, PDS_PASSWORD: password };
  }, 300_000);

  afterAll(async () => {
    await network?.stop();
    if (scratch) await rm(scratch, { recursive: true, force: true });
  });

  /** The record that publish.ts has published and printed the uri of. */
  const published = async (printed: string) => {
    const { uri } = JSON.parse(printed) as { uri: string };
    return (await network.getRecord(uri))?.value;
  };
  const expected = { text: 'From a consumer' };

  it('of NestJS 11 (CommonJS, ts-jest) builds, is tested and publishes', async () => {
    const project = await ConsumerProject.create(join(scratch, 'nest-11'), {
      packages: [...nest(11), 'typescript@5', 'jest@30', 'ts-jest@29', '@types/jest@30', parity, ...peers],
      extensions: false,
    });
    await project.edit('package.json', ({ jest }) => {
      jest!['preset'] = 'nestjs-parity/jest';
      jest!['transform'] = { '^.+\\.ts$': 'ts-jest' };
    });
    await project.bin('nest', ['build']);
    expect(await published(await project.node(['dist/publish.js'], env))).toMatchObject(expected);
    await project.jest(env);
    if (!whole) return;

    const node22 = await nodeOfVersion('22', join(scratch, 'node-22'));
    expect(await published(await project.node(['dist/publish.js'], env, node22))).toMatchObject(expected);
    await project.jest(env, node22);

    // The template's own pattern, which takes the .js files of packages too
    await project.edit('package.json', ({ jest }) => {
      jest!['transform'] = { '^.+\\.(t|j)s$': 'ts-jest' };
    });
    await project.jest(env, node22);

    await project.install('@swc/core@1', '@swc/jest@0.2', 'jest@29');
    await project.edit('package.json', ({ jest }) => {
      const jsc = {
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
      };
      jest!['transform'] = { '^.+\\.ts$': ['@swc/jest', { jsc, module: { type: 'commonjs' } }] };
    });
    await project.jest(env);
    await project.jest(env, node22);

    // The templates of earlier years
    await project.edit('tsconfig.json', ({ compilerOptions }) => {
      Object.assign(compilerOptions!, {
        module: 'commonjs',
        moduleResolution: 'node10',
        resolvePackageJsonExports: false,
        paths: { '@atproto/*': ['../node_modules/@atproto/*/dist/index.d.ts'] },
      });
    });
    // Without the template's end-to-end test, which needs supertest.
    await project.bin('tsc', ['--noEmit', '-p', 'tsconfig.build.json']);
  }, 1_800_000);

  if (whole) {
    it('of NestJS 12 (ES modules, vitest) builds, is tested and publishes', async () => {
      const project = await ConsumerProject.create(join(scratch, 'nest-12'), {
        packages: [...nest(12), 'typescript@6', 'vitest@4', 'vite-tsconfig-paths@5', parity, ...peers],
        extensions: true,
      });
      await project.bin('nest', ['build']);
      expect(await published(await project.node(['dist/publish.js'], env))).toMatchObject(expected);
      await project.bin('vitest', ['run'], undefined, env);
    }, 1_800_000);
  }
});
