import { createRequire } from 'node:module';
import { join } from 'node:path';

/** Translates an ES module to CommonJS. */
export interface Compiler {
  /** Includes its version. */
  readonly name: string;
  toCommonJs(source: string, path: string): string;
}

interface Swc {
  version: string;
  transformSync(source: string, options: object): { code: string };
}

interface TypeScript {
  version: string;
  /** Missing in TypeScript 7. */
  transpileModule?(
    source: string,
    options: { fileName: string; compilerOptions: object },
  ): { outputText: string };
}

/**
 * The compiler that the project compiles its own tests with: swc or TypeScript.
 *
 * @throws Error if the project has neither
 */
export function compilerOf(rootDir: string): Compiler {
  const require = createRequire(join(rootDir, 'package.json'));
  const swc = optional<Swc>(require, '@swc/core');
  if (swc) return swcCompiler(swc);
  const typescript = optional<TypeScript>(require, 'typescript');
  if (typescript?.transpileModule) return typescriptCompiler(typescript, typescript.transpileModule);
  throw new Error(
    `nestjs-parity/jest needs @swc/core, or TypeScript 5 or 6, and finds neither from ${rootDir}: npm install --save-dev @swc/core`,
  );
}

function optional<T>(require: NodeJS.Require, name: string): T | undefined {
  try {
    require.resolve(name);
  } catch {
    return undefined;
  }
  return require(name) as T;
}

function swcCompiler({ version, transformSync }: Swc): Compiler {
  return {
    name: `swc ${version}`,
    toCommonJs: (source, filename) =>
      transformSync(source, {
        filename,
        // The project's .swcrc is only for its own sources.
        swcrc: false,
        configFile: false,
        sourceMaps: 'inline',
        module: { type: 'commonjs' },
        jsc: { parser: { syntax: 'ecmascript' }, target: 'es2022' },
      }).code,
  };
}

function typescriptCompiler(
  { version }: TypeScript,
  transpileModule: Required<TypeScript>['transpileModule'],
): Compiler {
  // The numbers are ModuleKind.CommonJS and ScriptTarget.ES2022.
  const compilerOptions = {
    allowJs: true,
    module: 1,
    target: 9,
    esModuleInterop: true,
    inlineSourceMap: true,
  };
  return {
    name: `TypeScript ${version}`,
    toCommonJs: (source, fileName) =>
      transpileModule(withoutImportMeta(source), { fileName, compilerOptions }).outputText,
  };
}

/** TypeScript leaves `import.meta` in CommonJS, where it is a syntax error; swc replaces it. */
function withoutImportMeta(source: string): string {
  return source
    .replaceAll(/\bimport\.meta\.url\b/g, 'require("node:url").pathToFileURL(__filename).href')
    .replaceAll(/\bimport\.meta\.(dir|file)name\b/g, '__$1name');
}
