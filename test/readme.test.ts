import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { extractExamples, groupExamples, writeExamples, type Example } from './support/readme.js';

const root = resolve(import.meta.dirname, '..');
// Inside the repository, so that the examples find node_modules.
const scratch = join(root, 'test/.readme');

describe('README.md', () => {
  test('has examples that compile', async () => {
    const readme = join(root, 'README.md');
    const examples = existsSync(readme) ? extractExamples(await readFile(readme, 'utf8')) : [];

    expect(await compile(examples, 'README.md', join(scratch, 'types'))).toEqual([]);
  }, 120_000);
});

describe('the examples of a markdown file', () => {
  const markdown = [
    '# Title',
    '```sh',
    'npm start',
    '```',
    '## Quick start!',
    '```ts',
    '// post.ts',
    'export class Post { id = 1; }',
    '```',
    '1. in a list',
    '   ```ts main.ts',
    "   import { Post } from './post.js';",
    '   if (new Post().id) {',
    '     console.log(new Post());',
    '   }',
    '   ```',
    '## Options',
    '<!-- hidden',
    "import { Post } from './post.js';",
    'const post = new Post();',
    '-->',
    '',
    '```typescript',
    'post.id = 2;',
    '```',
    '```ts group=quick-start',
    '// src/extra.ts (also there)',
    "export * from '../post.js';",
    '```',
  ].join('\n');

  test('are found with their group, file and lines', () => {
    const examples = extractExamples(markdown);

    expect(examples.map(({ group, file, lines }) => [group, file, lines])).toEqual([
      ['quick-start', 'post.ts', [7, 8]],
      ['quick-start', 'main.ts', [12, 13, 14, 15]],
      ['options', 'example-at-line-24.ts', [19, 20, 24]],
      ['quick-start', 'src/extra.ts', [27, 28]],
    ]);
    expect(examples[1]?.code).toBe(
      "import { Post } from './post.js';\nif (new Post().id) {\n  console.log(new Post());\n}",
    );
  });

  test('borrow the files of earlier groups that they import', () => {
    const groups = groupExamples(extractExamples(markdown));

    expect(groups.get('options')?.map(({ file }) => file)).toEqual(['example-at-line-24.ts', 'post.ts']);
  });

  test('may not have one file twice in a group', () => {
    expect(() => groupExamples(extractExamples(`${markdown}\n${markdown}`))).toThrow(
      'post.ts stands in lines 7',
    );
  });

  test('compile, or name the line of the markdown file', async () => {
    const at = join(scratch, 'sample');

    expect(await compile(extractExamples(markdown), 'sample.md', at)).toEqual([]);
    expect(await compile(extractExamples(markdown.replace('= 2;', "= 'two';")), 'sample.md', at)).toEqual([
      expect.stringMatching(/^sample\.md:24:1 .*example-at-line-24\.ts.*Type 'string' is not assignable/),
    ]);
  }, 120_000);
});

/** The compiler's errors in the examples, at their places in the markdown file. */
async function compile(examples: Example[], markdownFile: string, directory: string): Promise<string[]> {
  await rm(directory, { recursive: true, force: true });
  if (examples.length === 0) return [];
  const written = await writeExamples(examples, directory);
  const config = {
    extends: relative(directory, join(root, 'tsconfig.json')),
    // An example may show a variable that it does nothing with.
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false, types: ['node'] },
    include: ['**/*.ts'],
  };
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(config, null, 2));
  const output = await tsc(directory);
  await rm(directory, { recursive: true, force: true });

  const errors = output.split('\n').filter((line) => line.trim() !== '');
  return [...new Set(errors.map((error) => inMarkdown(error, markdownFile, written)))];
}

function inMarkdown(error: string, markdownFile: string, written: Map<string, Example>): string {
  const {
    path = '',
    line,
    column,
    rest,
  } = /^(?<path>.+?)\((?<line>\d+),(?<column>\d+)\): (?<rest>.*)$/.exec(error)?.groups ?? {};
  const example = written.get(resolve(root, path));
  if (example === undefined) return error;
  return `${markdownFile}:${example.lines[Number(line) - 1] ?? '?'}:${column} (${example.file}) ${rest}`;
}

/** What the compiler prints; nothing if all is well. */
async function tsc(directory: string): Promise<string> {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  return new Promise((done) => {
    execFile(
      process.execPath,
      [compiler, '--noEmit', '--pretty', 'false', '-p', directory],
      { cwd: root },
      (failure, stdout, stderr) => done(failure === null ? '' : stdout + stderr || failure.message),
    );
  });
}
