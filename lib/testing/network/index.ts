export { LocalNetwork, type Account, type LocalNetworkOptions, type StoredRecord } from './local-network.js';
export { LocalNetworkError } from './local-network.error.js';
export type { AuthorizationDecision } from './authorization-pages.js';
export type { CommitOperation, RepositoryCommit } from './network-protocol.js';
