import type { Lease } from '../pending-entry.js';

interface Held {
  readonly token: number;
  readonly endsAt: number;
  /** The lane was woken while it was leased. */
  readonly woken: boolean;
}

/** Which worker of this process has which lane. Tokens start again with the process, as its workers do. */
export class LaneLeases {
  private readonly held = new Map<string, Held>();
  private token = 0;

  /** @param clock milliseconds that only grow; a wall clock that is set forward would end every lease */
  constructor(private readonly clock: () => number) {}

  take(did: string, milliseconds: number): Lease | null {
    this.forgetEnded();
    return this.isHeld(did) ? null : this.grant(did, { token: ++this.token, woken: false }, milliseconds);
  }

  extend({ did, token }: Lease, milliseconds: number): Lease | null {
    const held = this.held.get(did);
    return held?.token === token ? this.grant(did, held, milliseconds) : null;
  }

  give({ did, token }: Lease): void {
    if (this.owns({ did, token })) this.held.delete(did);
  }

  /**
   * A lease that has ended still belongs to its holder until another worker takes the lane, because until
   * then no other has begun.
   */
  owns({ did, token }: Pick<Lease, 'did' | 'token'>): boolean {
    return this.held.get(did)?.token === token;
  }

  /** Remembered until the lane is given back. */
  wake(did: string): void {
    const held = this.held.get(did);
    if (held) this.held.set(did, { ...held, woken: true });
  }

  wasWoken(did: string): boolean {
    return this.held.get(did)?.woken ?? false;
  }

  isHeld(did: string): boolean {
    return (this.held.get(did)?.endsAt ?? -Infinity) > this.clock();
  }

  /** Leases that have not ended. */
  get count(): number {
    return [...this.held.keys()].filter((did) => this.isHeld(did)).length;
  }

  private grant(did: string, { token, woken }: Omit<Held, 'endsAt'>, milliseconds: number): Lease {
    const endsAt = performance.now() + milliseconds;
    this.held.delete(did);
    this.held.set(did, { token, woken, endsAt: this.clock() + milliseconds });
    return { did, token, endsAt };
  }

  /**
   * Drops leases that were never given back. A Map keeps the order of insertion, so the oldest comes first.
   */
  private forgetEnded(): void {
    for (const [did, { endsAt }] of this.held) {
      if (endsAt > this.clock()) break;
      this.held.delete(did);
    }
  }
}
