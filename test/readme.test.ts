import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import {
  extractExamples,
  groupExamples,
  markdownFiles,
  writeExamples,
  type Example,
} from './support/readme.js';

const root = resolve(import.meta.dirname, '..');
// Inside the repository, so that the examples find node_modules.
const scratch = join(root, 'test/.readme');

describe('README.md and docs/', () => {
  test('have examples that compile', async () => {
    const examples: Example[] = [];
    for (const file of await markdownFiles(root))
      examples.push(...extractExamples(await readFile(join(root, file), 'utf8'), file));
    const quickStart = examples.filter(
      ({ source, group }) => source === 'README.md' && group === 'quick-start',
    );

    expect(quickStart).not.toEqual([]);
    expect(await compile(examples, join(scratch, 'types'), quickStart)).toEqual([]);
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
    const examples = extractExamples(markdown, 'sample.md');

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
    const groups = groupExamples(extractExamples(markdown, 'sample.md'));

    expect(groups.get('options')?.map(({ file }) => file)).toEqual(['example-at-line-24.ts', 'post.ts']);
  });

  test('borrow what another markdown file lends, unless they have a file of that name', () => {
    const lent = extractExamples(['```ts post.ts', 'export class Post {}', '```'].join('\n'), 'lender.md');
    const page = ['## A', '```ts a.ts', "import { Post } from './post.js';", '```'];
    const own = ['## B', '```ts post.ts', 'export class Post { own = 1; }', '```'];
    const groups = groupExamples(
      extractExamples([...page, ...own, '## C', ...page.slice(1)].join('\n'), 'sample.md'),
      lent,
    );

    expect(groups.get('a')?.map(({ source, file }) => [source, file])).toEqual([
      ['sample.md', 'a.ts'],
      ['lender.md', 'post.ts'],
    ]);
    expect(groups.get('c')?.map(({ source, file }) => [source, file])).toEqual([
      ['sample.md', 'a.ts'],
      ['sample.md', 'post.ts'],
    ]);
  });

  test('may not have one file twice in a group', () => {
    expect(() => groupExamples(extractExamples(`${markdown}\n${markdown}`, 'sample.md'))).toThrow(
      'sample.md: post.ts stands in lines 7',
    );
  });

  test('compile, or name the line of the markdown file', async () => {
    const at = join(scratch, 'sample');

    const mistaken = markdown.replace('= 2;', "= 'two';");

    expect(await compile(extractExamples(markdown, 'sample.md'), at)).toEqual([]);
    expect(await compile(extractExamples(mistaken, 'sample.md'), at)).toEqual([
      expect.stringMatching(/^sample\.md:24:1 .*example-at-line-24\.ts.*Type 'string' is not assignable/),
    ]);
  }, 120_000);
});

/** The compiler's errors in the examples, at their places in the markdown files. */
async function compile(
  examples: readonly Example[],
  directory: string,
  lent?: readonly Example[],
): Promise<string[]> {
  await rm(directory, { recursive: true, force: true });
  const written = await writeExamples(examples, directory, lent);
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
  return [...new Set(errors.map((error) => inMarkdown(error, written)))];
}

function inMarkdown(error: string, written: Map<string, Example>): string {
  const {
    path = '',
    line,
    column,
    rest,
  } = /^(?<path>.+?)\((?<line>\d+),(?<column>\d+)\): (?<rest>.*)$/.exec(error)?.groups ?? {};
  const example = written.get(resolve(root, path));
  if (example === undefined) return error;
  return `${example.source}:${example.lines[Number(line) - 1] ?? '?'}:${column} (${example.file}) ${rest}`;
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
