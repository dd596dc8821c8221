import type { Account, LocalNetwork } from 'nestjs-parity/testing';

export interface DevelopmentOptions {
  readonly network: LocalNetwork;
  readonly accounts: readonly Account[];
  readonly stopsNetwork: boolean;
}

export const DEVELOPMENT = Symbol('development');
