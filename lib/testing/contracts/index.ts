export { brokenPendingSyncStores, type BrokenPendingSyncStore } from './broken-pending-sync-stores.js';
export type { ContractCase, ContractSubject, OpenSubject } from './contract-case.js';
export {
  pendingSyncStoreContract,
  type PendingSyncStoreContractOptions,
} from './pending-sync-store.contract.js';
