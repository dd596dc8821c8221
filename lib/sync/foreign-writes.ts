import type { QueryRunner } from 'typeorm';
import type { ParityError } from '../errors/parity.error.js';
import type { Address } from '../model/address.js';

/** By at-uri, why a local change cannot go on. */
export type Refusals = ReadonlyMap<string, ParityError>;

type Look = (addresses: readonly Address[], own?: () => QueryRunner | undefined) => Promise<Refusals>;

/**
 * Records that a write has found changed by another application, of classes that follow their records. What
 * becomes of them is decided by their admission, to which this leads.
 */
export class ForeignWrites {
  private look: Look | undefined;

  /** @param look admits what is in the repository at addresses */
  use(look: Look): void {
    this.look = look;
  }

  /** @param own the caller's connection, while it waits */
  async admit(addresses: readonly Address[], own?: () => QueryRunner | undefined): Promise<Refusals> {
    return (await this.look?.(addresses, own)) ?? new Map();
  }
}
