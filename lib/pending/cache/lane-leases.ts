import type { Lease } from '../pending-entry.js';

/** Who works on which lane, within this process. Tokens start anew with the process, as its workers do. */
export class LaneLeases {
  private readonly held = new Map<string, { readonly token: number; readonly endsAt: number }>();
  private token = 0;

  /** @param clock milliseconds that only grow: a wall clock that is put forward would end every lease */
  constructor(private readonly clock: () => number) {}

  take(did: string, milliseconds: number): Lease | null {
    this.forgetEnded();
    return this.isHeld(did) ? null : this.grant(did, ++this.token, milliseconds);
  }

  extend({ did, token }: Lease, milliseconds: number): Lease | null {
    return this.owns({ did, token }) ? this.grant(did, token, milliseconds) : null;
  }

  give({ did, token }: Lease): void {
    if (this.owns({ did, token })) this.held.delete(did);
  }

  /** A lease that has ended is its holder's until somebody takes it: nobody else has begun yet. */
  owns({ did, token }: Pick<Lease, 'did' | 'token'>): boolean {
    return this.held.get(did)?.token === token;
  }

  isHeld(did: string): boolean {
    return (this.held.get(did)?.endsAt ?? -Infinity) > this.clock();
  }

  private grant(did: string, token: number, milliseconds: number): Lease {
    const endsAt = performance.now() + milliseconds;
    this.held.delete(did);
    this.held.set(did, { token, endsAt: this.clock() + milliseconds });
    return { did, token, endsAt };
  }

  /** Leases that were never given back. A Map keeps the order of insertion, so the oldest comes first. */
  private forgetEnded(): void {
    for (const [did, { endsAt }] of this.held) {
      if (endsAt > this.clock()) break;
      this.held.delete(did);
    }
  }
}
