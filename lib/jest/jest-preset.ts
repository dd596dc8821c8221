import { fileURLToPath } from 'node:url';

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/**
 * A jest preset with which tests that run as CommonJS load this package and others that are ES modules only:
 * `"preset": "nestjs-parity/jest"`.
 */
const preset = {
  transform: { '[/\\\\]node_modules[/\\\\].+\\.m?js$': path('./es-module.transformer.js') },
  // Jest's default leaves out node_modules.
  transformIgnorePatterns: [] as string[],
  resolver: path('./resolver.js'),
};

export default preset;
