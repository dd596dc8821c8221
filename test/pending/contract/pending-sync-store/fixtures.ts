import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import type { Lease, OfferedChange, PendingEntry } from '../../../../lib/pending/pending-entry.js';
import type { PendingSyncStore } from '../../../../lib/pending/pending-sync.store.js';
import type { ContractCase, ContractSubject } from '../contract-case.js';

export const ALICE = 'did:plc:alice';
export const BOB = 'did:plc:bob';
const COLLECTION = 'com.example.post';

export const PARK = { reason: 'revoked', sessionId: 's1', code: 'OAUTH_SESSION_INVALID' };

/** Longer than any case takes; it must not end meanwhile. */
export const LONG = 3_600_000;

export const uriOf = (rkey: string, did = ALICE): string => `at://${did}/${COLLECTION}/${rkey}`;

/** A change at `rkey`; the rest is ordinary unless given. */
export function aChange(
  rkey: string,
  { did = ALICE, ...rest }: Partial<OfferedChange> & { did?: string } = {},
): OfferedChange {
  return {
    address: { did, collection: COLLECTION, rkey },
    entityName: 'Post',
    entityId: rkey,
    operation: 'publish',
    trigger: 'auto',
    cid: null,
    keepRecord: false,
    givenUp: false,
    orphaned: false,
    mayDelete: false,
    backfill: false,
    ...rest,
  };
}

/** What an entry tells of its record where nothing was learned of it. */
export const NOTHING_LEARNED = { foreign: null, mapped: null, inConflict: false } as const;

/** What a case gets: the subject with its optional parts filled in, and the steps that most cases take. */
export class Scene {
  readonly store: PendingSyncStore;
  readonly peer: PendingSyncStore;

  constructor(readonly subject: ContractSubject) {
    this.store = subject.store;
    this.peer = subject.peer ?? subject.store;
  }

  async pass(milliseconds: number): Promise<void> {
    await (this.subject.pass?.(milliseconds) ?? wait(milliseconds + 5));
  }

  /** One capture each, so that each is older than the next. */
  async capture(...changes: OfferedChange[]): Promise<void> {
    for (const change of changes) {
      await this.store.capture([change]);
      await this.pass(2);
    }
  }

  /** The entry at an address of Alice; the case fails if there is none. */
  async entry(rkey: string, did = ALICE): Promise<PendingEntry> {
    const [entry] = await this.store.at(did, [uriOf(rkey, did)]);
    assert.ok(entry, `nothing is pending at ${uriOf(rkey, did)}`);
    return entry;
  }

  async isPending(rkey: string, did = ALICE): Promise<boolean> {
    return (await this.store.at(did, [uriOf(rkey, did)])).length > 0;
  }

  /** The record keys of what is due, in order. */
  async due(options: { limit?: number; backlog?: boolean; did?: string } = {}): Promise<string[]> {
    const { limit = 100, backlog = false, did = ALICE } = options;
    return (await this.store.due(did, { limit, backlog })).map(({ sync }) => sync.rkey);
  }

  /** Leases a lane that must be free. */
  async lease(did = ALICE, milliseconds = LONG, store = this.store): Promise<Lease> {
    const lease = await leaseOf(store, did, milliseconds);
    assert.ok(lease, `the lane of ${did} is not free`);
    return lease;
  }

  async release(lease: Lease): Promise<void> {
    await this.store.release(lease, { next: 'asleep', failures: 0 });
  }

  /** Leases Alice's lane, works, and gives it back. */
  async leased<T>(work: (lease: Lease) => Promise<T>): Promise<T> {
    const lease = await this.lease();
    try {
      return await work(lease);
    } finally {
      await this.release(lease);
    }
  }

  /** A lease of Alice's lane that another worker has taken over since. */
  async staleLease(span: number): Promise<Lease> {
    const stale = await this.lease(ALICE, span);
    await this.pass(span);
    await this.lease(ALICE, LONG, this.peer);
    return stale;
  }
}

/** The lease alone, whether or not the lane is parked or backs off; null: another worker has it. */
export const leaseOf = async (
  store: PendingSyncStore,
  did: string,
  milliseconds: number,
): Promise<Lease | null> => (await store.enter(did, [], { milliseconds, anyway: true })).lease;

export const settled = ({ sync, version }: PendingEntry, cid: string | null = 'bafysettled') => ({
  uri: sync.uri,
  version,
  cid,
});

export const failedTry = (
  { sync, version }: PendingEntry,
  { countsAttempt = true, needsSession = false, error = 'refused' } = {},
) => ({ uri: sync.uri, version, error, countsAttempt, needsSession });

/** Defines a case. @param ttl of its store, in seconds */
export function contractCase(
  name: string,
  body: (scene: Scene) => Promise<void>,
  ttl: number | null = null,
): ContractCase {
  return {
    name,
    run: async (open) => {
      const subject = await open({ ttl });
      try {
        await body(new Scene(subject));
      } finally {
        await subject.close?.();
      }
    },
  };
}
