export * from './contracts/index.js';
export * from './network/index.js';
