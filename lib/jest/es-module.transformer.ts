import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Compiler, compilerOf } from './compiler.js';

/** The part of jest's options for a transformer that is used here. */
interface TransformOptions {
  config: { rootDir: string };
  configString: string;
  instrument: boolean;
}

const packageTypes = new Map<string, string>();

/** The `type` of the nearest package.json above, as Node looks it up. */
function packageType(folder: string): string {
  const known = packageTypes.get(folder);
  if (known !== undefined) return known;
  const type = ownType(folder) ?? (dirname(folder) === folder ? 'commonjs' : packageType(dirname(folder)));
  packageTypes.set(folder, type);
  return type;
}

function ownType(folder: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(join(folder, 'package.json'), 'utf8');
  } catch {
    return undefined;
  }
  return (JSON.parse(text) as { type?: string }).type ?? 'commonjs';
}

const isEsModule = (path: string) => path.endsWith('.mjs') || packageType(dirname(path)) === 'module';

const compilers = new Map<string, Compiler>();

function compilerFor({ config: { rootDir } }: TransformOptions): Compiler {
  const compiler = compilers.get(rootDir) ?? compilerOf(rootDir);
  compilers.set(rootDir, compiler);
  return compiler;
}

// Without the version, jest would go on using the cached output of an earlier version of this package.
const version = readFileSync(new URL('../../package.json', import.meta.url));

/** A transformer for jest that translates ES modules to CommonJS, and leaves CommonJS as it is. */
const transformer = {
  getCacheKey(source: string, path: string, options: TransformOptions): string {
    const { configString, instrument } = options;
    const { name } = compilerFor(options);
    return createHash('sha256')
      .update(version)
      .update(JSON.stringify([source, path, configString, instrument, name, isEsModule(path)]))
      .digest('hex');
  },

  process(source: string, path: string, options: TransformOptions): { code: string } {
    return { code: isEsModule(path) ? compilerFor(options).toCommonJs(source, path) : source };
  },
};

export default transformer;
