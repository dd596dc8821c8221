import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { anchorsOf, linksOf, markdownFiles } from './support/readme.js';

const root = resolve(import.meta.dirname, '..');

it('keeps README.md within 8,000 bytes, so that it can be read at one sitting', async () => {
  const { size } = await stat(join(root, 'README.md'));

  expect(size).toBeLessThanOrEqual(8_000);
});

it('finds every file and heading that README.md and docs/ link to', async () => {
  const missing: string[] = [];
  for (const file of await markdownFiles(root)) {
    for (const { line, target } of linksOf(await readFile(join(root, file), 'utf8'))) {
      if (/^[a-z]+:/.test(target)) continue;
      if (!(await leadsSomewhere(file, target))) missing.push(`${file}:${line} ${target}`);
    }
  }

  expect(missing).toEqual([]);
});

it('reaches every page of docs/ from its index', async () => {
  const pages = (await markdownFiles(root)).filter((file) => file.startsWith('docs/'));
  const index = linksOf(await readFile(join(root, 'docs/README.md'), 'utf8'));
  const reached = new Set(['docs/README.md', ...index.map(({ target }) => `docs/${target.split('#')[0]}`)]);

  expect(pages.filter((page) => !reached.has(page))).toEqual([]);
});

it('takes links from prose only, and names headings as GitHub does', () => {
  const markdown = [
    '# A [link](a.md) and `[code](b.md)`',
    '```ts',
    '# [none](c.md)',
    '```',
    '## What is seen, and `what` is not',
    '## Same',
    '## Same',
  ].join('\n');

  expect(linksOf(markdown)).toEqual([{ line: 1, target: 'a.md' }]);
  expect([...anchorsOf(markdown)].slice(1)).toEqual(['what-is-seen-and-what-is-not', 'same', 'same-1']);
});

/** A file or folder of the repository, and where an anchor is given, a heading of that file. */
async function leadsSomewhere(from: string, target: string): Promise<boolean> {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? join(root, from) : resolve(root, dirname(from), path);
  if (relative(root, file).startsWith('..')) return false;
  try {
    if (anchor === undefined) return Boolean(await stat(file));
    return anchorsOf(await readFile(file, 'utf8')).has(anchor);
  } catch {
    return false;
  }
}
