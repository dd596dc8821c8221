export type { ContractCase, ContractSubject, OpenSubject } from './contract-case.js';
export {
  pendingSyncStoreContract,
  type PendingSyncStoreContractOptions,
} from './pending-sync-store.contract.js';
