import type { QueryRunner } from 'typeorm';
import type {
  AdmittedAddress,
  InboundIssue,
  InboundLedger,
  KnownAddress,
} from '../../../../lib/pending/inbound.ledger.js';
import type { PendingSyncStore } from '../../../../lib/pending/pending-sync.store.js';
import type { RepositoryStore, SourceCursorStore } from '../../../../lib/pending/repository.store.js';
import { atUri, type Address } from '../../../../lib/model/address.js';
import { ALICE } from '../pending-sync-store/fixtures.js';

/** The ports of the inbound half on one empty storage. */
export interface InboundSubject {
  readonly ledger: InboundLedger;
  readonly repositories: RepositoryStore;
  readonly sources: SourceCursorStore;
  /** A sweep without grace looks at what was captured just now, too. */
  readonly store: PendingSyncStore & { sweep(grace?: number): Promise<number> };
  /** Runs work in an open transaction, which is rolled back if the work throws; the error comes through. */
  transaction<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T>;
  /** Stores what is remembered of a repository, as the writer does. */
  remember(
    did: string,
    inFlight: Record<string, string | null>,
    unsettled: Record<string, string[]>,
  ): Promise<void>;
  pass(milliseconds: number): Promise<void>;
}

/** One rule of a port, as a test for any runner. */
export interface InboundCase {
  readonly name: string;
  readonly run: (open: () => Promise<InboundSubject>) => Promise<void>;
}

export const inboundCase = (name: string, body: (subject: InboundSubject) => Promise<void>): InboundCase => ({
  name,
  run: async (open) => body(await open()),
});

export const addressOf = (rkey: string, did = ALICE): Address => ({
  did,
  collection: 'com.example.post',
  rkey,
});

/** Revisions in the order of their numbers. */
export const rev = (number: number): string => `3k${String(number).padStart(11, '2')}`;

/** A record of another application at a new address, taken over; the rest unless given. */
export const admitted = (
  rkey: string,
  { did, ...rest }: Partial<AdmittedAddress> & { did?: string } = {},
): AdmittedAddress => ({
  address: addressOf(rkey, did),
  outcome: 'clean',
  isNew: true,
  rev: rev(1),
  entityName: 'Post',
  entityId: rkey,
  cid: 'bafyremote',
  mapped: null,
  foreign: null,
  base: null,
  ...rest,
});

export const anIssue = (
  rkey: string,
  { did, ...rest }: Partial<InboundIssue> & { did?: string } = {},
): Omit<InboundIssue, 'createdAt'> => ({
  address: addressOf(rkey, did),
  kind: 'rejected',
  entityName: 'Post',
  entityId: '',
  rev: rev(1),
  cid: 'bafyremote',
  record: { text: rkey },
  local: null,
  reason: 'it is too long',
  ...rest,
});

/** Admits in a transaction of its own, as if each address had been looked at before. */
export const admit = (
  { ledger, transaction }: Pick<InboundSubject, 'ledger' | 'transaction'>,
  ...addresses: AdmittedAddress[]
): Promise<void> =>
  transaction(async (runner) => {
    await ledger.lock(
      addresses.map(({ address }) => address.did),
      runner,
    );
    const { known } = await ledger.at(
      addresses.map(({ address }) => address),
      runner,
    );
    await ledger.admit(
      addresses.map((one) => Object.assign({}, one, { isNew: !known.has(atUri(one.address)) })),
      runner,
    );
  });

/** What the ledger knows of an address; undefined for nothing. */
export const known = (
  { ledger, transaction }: Pick<InboundSubject, 'ledger' | 'transaction'>,
  rkey: string,
  did = ALICE,
): Promise<KnownAddress | undefined> =>
  transaction(async (runner) => {
    const address = addressOf(rkey, did);
    return (await ledger.at([address], runner)).known.get(atUri(address));
  });
