export * from './network/index.js';
export * from './sources/index.js';
