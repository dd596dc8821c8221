/**
 * For processes of their own, which Node runs from source (`--import` this file): it strips the types here,
 * and swc compiles what the process imports.
 */
import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { transformFileSync } from '@swc/core';

const lib = new URL('../../lib/index.ts', import.meta.url).href;
const network = new URL('../../lib/testing/index.ts', import.meta.url).href;
registerHooks({
  resolve(specifier, context, next) {
    if (specifier === 'nestjs-parity') return { url: lib, shortCircuit: true };
    if (specifier === 'nestjs-parity/testing') return { url: network, shortCircuit: true };
    const source = specifier.startsWith('.') ? specifier.replace(/\.js$/, '.ts') : specifier;
    const exists = source !== specifier && existsSync(new URL(source, context.parentURL));
    return next(exists ? source : specifier, context);
  },
  load(url, context, next) {
    if (!url.endsWith('.ts')) return next(url, context);
    const { code } = transformFileSync(fileURLToPath(url), {
      swcrc: false,
      jsc: {
        target: 'es2023',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
        keepClassNames: true,
      },
      module: { type: 'es6' },
    });
    return { format: 'module', source: code, shortCircuit: true };
  },
});
