export * from './network/index.js';
