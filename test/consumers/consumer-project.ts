import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);

/** Runs a command to its end; an error says what it printed. */
async function execute(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const inherited = { ...process.env };
  // The jest that runs this test has told its own workers what they are.
  for (const name of ['NODE_OPTIONS', 'NODE_ENV', 'JEST_WORKER_ID']) delete inherited[name];
  // Scripts and the tools of the project take the Node of this test, not the system's.
  const path = `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`;
  try {
    const { stdout } = await run(command, args, { cwd, env: { ...inherited, PATH: path, ...env } });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${[command, ...args].join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

const npm = (args: readonly string[], cwd: string) =>
  execute('npm', [...args, '--no-audit', '--no-fund'], cwd);

/** Why no package can be installed; undefined when they can. */
export async function registryMissing(): Promise<string | undefined> {
  try {
    await run('npm', ['ping', '--fetch-retries=0', '--fetch-timeout=10000'], { cwd: root, timeout: 30_000 });
    return undefined;
  } catch {
    return 'the npm registry does not answer';
  }
}

/** Builds and packs the package, once for all projects. */
export async function packedParity(folder: string): Promise<string> {
  const tsc = resolve(root, 'node_modules/.bin/tsc');
  // What is packed is a copy, so that a build by somebody else meanwhile does no harm.
  const copy = join(folder, 'package');
  await mkdir(copy, { recursive: true });
  for (const file of ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE'])
    await cp(join(root, file), join(copy, file));
  await execute(tsc, ['-p', 'lib', '--outDir', join(copy, 'dist')], root);
  const [{ filename }] = JSON.parse(await npm(['pack', '--json', '--pack-destination', folder], copy)) as [
    { filename: string },
  ];
  return join(folder, filename);
}

/** The peers that an application names itself, in the versions that all other tests run with. */
export async function atprotoPeers(): Promise<string[]> {
  const { devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  return ['@atproto/api', '@atproto/oauth-client-node'].map((name) => `${name}@${devDependencies[name]}`);
}

/** A folder of this test's own, outside the repository, whose node_modules would be found otherwise. */
export const scratchFolder = () => mkdtemp(join(tmpdir(), 'parity-consumers-'));

/** A project as the NestJS CLI makes it, with the consumer's files in src/. */
export class ConsumerProject {
  private constructor(
    /** Has the node_modules; the project itself stays as its template made it. */
    private readonly home: string,
    private readonly project: string,
  ) {}

  static async create(
    home: string,
    { packages, extensions }: { packages: readonly string[]; extensions: boolean },
  ): Promise<ConsumerProject> {
    await mkdir(home, { recursive: true });
    await writeFile(join(home, 'package.json'), '{ "private": true }');
    const project = new ConsumerProject(home, join(home, 'app'));
    await project.install(...packages);
    await project.bin(
      'nest',
      ['new', 'app', '--skip-git', '--skip-install', '--package-manager', 'npm'],
      home,
    );
    const sources = join(import.meta.dirname, 'app');
    for (const file of await readdir(sources)) {
      const source = await readFile(join(sources, file), 'utf8');
      // CommonJS templates import without extensions, and jest finds nothing else.
      const text = extensions ? source : source.replaceAll(/(from '\.\/[^']+)\.js'/g, "$1'");
      await writeFile(join(project.project, 'src', file), text);
    }
    return project;
  }

  install(...packages: readonly string[]): Promise<string> {
    return npm(['install', '--ignore-scripts', ...packages], this.home);
  }

  bin(
    name: string,
    args: readonly string[],
    cwd = this.project,
    env: NodeJS.ProcessEnv = {},
  ): Promise<string> {
    return execute(join(this.home, 'node_modules/.bin', name), args, cwd, env);
  }

  node(args: readonly string[], env: NodeJS.ProcessEnv, node = process.execPath): Promise<string> {
    return execute(node, args, this.project, {
      ...env,
      PATH: `${dirname(node)}${delimiter}${process.env['PATH'] ?? ''}`,
    });
  }

  jest(env: NodeJS.ProcessEnv, node?: string): Promise<string> {
    return this.node([join(this.home, 'node_modules/jest/bin/jest.js'), '--ci'], env, node);
  }

  /** Changes a JSON file of the project. */
  async edit(
    file: string,
    change: (content: Record<string, Record<string, unknown>>) => void,
  ): Promise<void> {
    const path = join(this.project, file);
    const content = JSON.parse(await readFile(path, 'utf8')) as Record<string, Record<string, unknown>>;
    change(content);
    await writeFile(path, JSON.stringify(content, null, 2));
  }
}

/** Another version of Node, from its npm package. */
export async function nodeOfVersion(version: string, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  await npm(['install', '--no-save', `node-${process.platform}-${process.arch}@${version}`], folder);
  return join(folder, `node_modules/node-${process.platform}-${process.arch}/bin/node`);
}
