import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Each local network and each application that is killed is a process of its own, and compiles the same modules.
process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), 'nestjs-parity-compile-cache');

/** @type {import('jest').Config} */
export default {
  rootDir: '..',
  roots: ['<rootDir>/test'],
  testEnvironment: '<rootDir>/test/support/environment.ts',
  testSequencer: '<rootDir>/test/support/sequencer.js',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^nestjs-parity$': '<rootDir>/lib/index.ts',
    '^nestjs-parity/testing$': '<rootDir>/lib/testing/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        module: { type: 'es6' },
        jsc: {
          target: 'es2023',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          keepClassNames: true,
        },
        sourceMaps: 'inline',
      },
    ],
  },
  // Most of a test's time is a PDS's or a database's, in a process of its own.
  maxWorkers: 4,
  // Each file loads its modules anew, and Node keeps those of the files before it.
  workerIdleMemoryLimit: '1GB',
  // Waits for a condition end sooner and say what they waited for (support/until.ts).
  testTimeout: 60_000,
};
