import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(import.meta.dirname, '..');

it('is built without source maps, whose sources the package lacks', async () => {
  const out = await mkdtemp(join(tmpdir(), 'nestjs-parity-build-'));
  try {
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    await promisify(execFile)(process.execPath, [compiler, '-p', join(root, 'lib'), '--outDir', out]);
    const files = (await readdir(out, { recursive: true })).filter((file) => /\.(?:js|ts|map)$/.test(file));
    expect(files).toContain('index.js');
    expect(files.filter((file) => file.endsWith('.map'))).toEqual([]);
    const texts = await Promise.all(files.map((file) => readFile(join(out, file), 'utf8')));
    expect(files.filter((_, at) => texts[at]!.includes('sourceMappingURL'))).toEqual([]);
  } finally {
    await rm(out, { recursive: true });
  }
}, 120_000);
