import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';

/**
 * One TypeScript example of a markdown file. How an author says what an example is:
 *
 * - The examples between two `##` headings are a group. A block with `group=name` in its info string belongs to that
 *   group instead, wherever it stands.
 * - A file name, in the info string (` ```ts app.module.ts `) or as a comment in the first line (`// app.module.ts`),
 *   makes the block that file; its examples import it as `./app.module.js`. A group may import files of an earlier
 *   group of its markdown file, and those that another file lends (the pages in docs/ borrow from the README). A block
 *   without a name is a module that no other example imports.
 * - `<!-- hidden` ... `-->` right above a block is code that the reader does not see (the imports of a fragment).
 */
export interface Example {
  /** The markdown file. */
  source: string;
  group: string;
  file: string;
  code: string;
  /** For every line of `code`, its line in the markdown file, both counted from 1. */
  lines: number[];
}

/** README.md and the pages of docs/, relative to the repository. */
export const markdownFiles = async (root: string): Promise<string[]> => {
  const pages = await readdir(join(root, 'docs'), { recursive: true });
  return [
    'README.md',
    ...pages
      .filter((page) => page.endsWith('.md'))
      .map((page) => `docs/${page}`)
      .toSorted(),
  ];
};

const fence = /^(?<indent> *)(?<ticks>`{3,}|~{3,})(?<info>.*)$/;
const fileName = /^[\w@./-]+\.ts$/;
const fileComment = /^\/\/ (?<file>[\w@./-]+\.ts)(?:$|[\s:,(])/;

export function extractExamples(markdown: string, source: string): Example[] {
  const examples: Example[] = [];
  const lines = markdown.split(/\r?\n/);
  let section = 'start';
  let hidden: { text: string; line: number }[] = [];
  for (let at = 0; at < lines.length; at++) {
    const text = lines[at] ?? '';
    const heading = /^## +(?<title>.+)$/.exec(text)?.groups?.['title'];
    if (heading !== undefined) section = slug(heading);

    if (/^\s*<!-- *hidden\s*$/.test(text)) {
      hidden = [];
      while (++at < lines.length && !/^\s*-->/.test(lines[at] ?? '')) {
        hidden.push({ text: lines[at] ?? '', line: at + 1 });
      }
      continue;
    }

    const { indent = '', ticks = '', info = '' } = fence.exec(text)?.groups ?? {};
    if (ticks === '') {
      if (text.trim() !== '') hidden = [];
      continue;
    }
    const body: { text: string; line: number }[] = [];
    while (++at < lines.length && !(lines[at] ?? '').trim().startsWith(ticks)) {
      const line = lines[at] ?? '';
      body.push({
        text: line.startsWith(indent) ? line.slice(indent.length) : line.trimStart(),
        line: at + 1,
      });
    }
    const first = body[0];
    const [language, ...words] = info.trim().split(/\s+/);
    if ((language === 'ts' || language === 'typescript') && first !== undefined) {
      const all = [...hidden, ...body];
      examples.push({
        source,
        group: words.find((word) => word.startsWith('group='))?.slice('group='.length) ?? section,
        file:
          words.find((word) => fileName.test(word)) ??
          fileComment.exec(first.text)?.groups?.['file'] ??
          `example-at-line-${first.line}.ts`,
        code: all.map((line) => line.text).join('\n'),
        lines: all.map((line) => line.line),
      });
    }
    hidden = [];
  }
  return examples;
}

/**
 * The examples of one markdown file as whole groups: each with its own files, and with those that it imports from
 * earlier groups, or from `lent`. Throws if a group has two files of one name.
 */
export function groupExamples(
  examples: readonly Example[],
  lent: readonly Example[] = [],
): Map<string, Example[]> {
  const groups = new Map<string, Example[]>();
  for (const example of examples) {
    const group = groups.get(example.group) ?? [];
    const twin = group.find(({ file }) => file === example.file);
    if (twin !== undefined) {
      throw new Error(
        `${example.source}: ${example.file} stands in lines ${twin.lines[0]} and ${example.lines[0]} of one group`,
      );
    }
    groups.set(example.group, [...group, example]);
  }
  const earlier = new Map(lent.map((example) => [example.file, example]));
  for (const group of groups.values()) {
    const own = [...group];
    // The list grows while it is read: what was borrowed has imports too.
    for (const example of group) {
      for (const imported of relativeImports(example)) {
        const borrowed = earlier.get(imported);
        if (borrowed !== undefined && !group.some(({ file }) => file === imported)) group.push(borrowed);
      }
    }
    for (const example of own) earlier.set(example.file, example);
  }
  return groups;
}

/**
 * Writes every group into a folder of its own below `directory`, one folder for each markdown file in between.
 * Returns the example behind each path.
 */
export async function writeExamples(
  examples: readonly Example[],
  directory: string,
  lent: readonly Example[] = [],
): Promise<Map<string, Example>> {
  const written = new Map<string, Example>();
  for (const [source, own] of Map.groupBy(examples, (example) => example.source)) {
    for (const [group, members] of groupExamples(own, lent)) {
      for (const example of members) {
        const path = join(directory, source, group, example.file);
        await mkdir(dirname(path), { recursive: true });
        // `export {}` makes a module of a block without imports; at the end, so that the lines stay where they are
        await writeFile(path, `${example.code}\nexport {};\n`);
        written.set(path, example);
      }
    }
  }
  return written;
}

function relativeImports(example: Example): string[] {
  const found = example.code.matchAll(/(?:from|import)\s*\(?\s*['"](?<path>\.{1,2}\/[^'"]+)\.js['"]/g);
  return [...found].map(({ groups }) =>
    posix.join(posix.dirname(example.file), `${groups?.['path'] ?? ''}.ts`),
  );
}

function slug(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}

export interface Link {
  readonly line: number;
  /** As it is written: `../README.md#quick-start`. */
  readonly target: string;
}

/** The links of a markdown file, those in its code aside. */
export function linksOf(markdown: string): Link[] {
  return prose(markdown).flatMap(({ text, line }) =>
    [...text.replaceAll(/`[^`]*`/g, '').matchAll(/\]\((?<target>[^)\s]+)\)/g)].map(({ groups }) => ({
      line,
      target: groups?.['target'] ?? '',
    })),
  );
}

/** What `#...` can lead to: the headings of a markdown file, as GitHub names them. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const { text } of prose(markdown)) {
    const title = /^#+ +(?<title>.+)$/.exec(text)?.groups?.['title'];
    if (title === undefined) continue;
    const name = title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    let anchor = name;
    for (let more = 1; anchors.has(anchor); more++) anchor = `${name}-${more}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The lines outside of code blocks. */
function prose(markdown: string): { text: string; line: number }[] {
  let open = '';
  return markdown.split(/\r?\n/).flatMap((text, index) => {
    const ticks = fence.exec(text)?.groups?.['ticks'] ?? '';
    if (open === '' && ticks === '') return [{ text, line: index + 1 }];
    if (open === '') open = ticks;
    else if (text.trim().startsWith(open)) open = '';
    return [];
  });
}
