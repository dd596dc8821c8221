import { readFile, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { extractExamples, writeExamples } from './support/readme.js';

const root = resolve(import.meta.dirname, '..');
const scratch = resolve(import.meta.dirname, '.readme/testing');
const examplesOf = async (file: string) => extractExamples(await readFile(resolve(root, file), 'utf8'), file);

afterAll(() => rm(scratch, { recursive: true, force: true }));

// The test that docs/testing.md shows becomes one of this file.
const shown = (await examplesOf('docs/testing.md')).filter(({ file }) => file.endsWith('.spec.ts'));
const quickStart = (await examplesOf('README.md')).filter(({ group }) => group === 'quick-start');
for (const [path, example] of await writeExamples(shown, scratch, quickStart))
  if (shown.includes(example)) await import(path);

it('is shown in docs/testing.md', () => {
  expect(shown.map(({ file }) => file)).toEqual(['posts.spec.ts']);
});
