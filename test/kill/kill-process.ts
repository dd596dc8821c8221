/**
 * An application that is killed. It works in background mode on its database, and dies by SIGKILL.
 * Node runs it from source: it strips the types here, and swc compiles what it imports.
 */
import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { transformFileSync } from '@swc/core';
import type { Death } from './death.js';

export interface KillProcessInput {
  readonly pdsUrl: string;
  readonly database: object;
  /** The last one is the quiet one. */
  readonly accounts: readonly { readonly did: string; readonly password: string }[];
  readonly seed: number;
  /** null: works until nothing is pending, and ends by itself. */
  readonly death: Death | null;
}

const lib = new URL('../../lib/index.ts', import.meta.url).href;
registerHooks({
  resolve(specifier, context, next) {
    if (specifier === 'nestjs-parity') return { url: lib, shortCircuit: true };
    const source = specifier.startsWith('.') ? specifier.replace(/\.js$/, '.ts') : specifier;
    const exists = source !== specifier && existsSync(new URL(source, context.parentURL));
    return next(exists ? source : specifier, context);
  },
  load(url, context, next) {
    if (!url.endsWith('.ts') || url === import.meta.url) return next(url, context);
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

const { live } = await import('./doomed-application.js');
await live(JSON.parse(process.argv[2] ?? '{}') as KillProcessInput);
process.disconnect?.();
process.exit(0);
