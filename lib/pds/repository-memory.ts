import { type Address, atUri } from '../model/address.js';
import type { Commit } from './commit.js';
import {
  type RepositoryState,
  type RequestInFlight,
  type RepositoryStateStore,
  UNKNOWN_REPOSITORY,
} from './repository-state.store.js';
import type { SpentPoints } from './write-budget.js';
import { intentOf, type RecordWrite, type RepositoryView } from './write-request.js';

type Cid = string | null;

/** What one call of the writer knows of its repository, and which part of that outlives the call. */
export class RepositoryMemory {
  /** The head that the next write will demand; null where the PDS has to be asked. */
  head: string | null = null;
  /** The last commit that the PDS has told of. */
  private told: Commit | null = null;
  private state: RepositoryState = UNKNOWN_REPOSITORY;
  private stored: RepositoryState = UNKNOWN_REPOSITORY;
  /** No other client has written since our last commit. */
  private trusted = false;
  /** An answer of the PDS has contradicted what the database remembers. */
  private doubted = false;
  /** CIDs at `head`. */
  private readonly known = new Map<string, Cid>();
  private verified = false;
  /** Written by this call. */
  private readonly mine = new Set<string>();

  constructor(
    private readonly did: string,
    private readonly addresses: readonly Address[],
    private readonly store: RepositoryStateStore,
  ) {}

  async load(): Promise<void> {
    this.stored = this.state = (await this.store.load(this.did)) ?? UNKNOWN_REPOSITORY;
    this.head = this.state.head;
    this.trusted = this.head !== null;
  }

  /** The PDS has told of this commit. */
  tell(commit: Commit): void {
    this.told = commit;
  }

  /** The commit that `head` names; null if it was chained from an earlier call, which kept no revision. */
  get commit(): Commit | null {
    return this.told?.cid === this.head ? this.told : null;
  }

  /** A request with an unknown outcome. */
  get inFlight(): RequestInFlight | null {
    return this.state.inFlight;
  }

  /** Write points, as far as this application knows. */
  get spentPoints(): SpentPoints {
    return this.state.spentPoints;
  }

  get isVerified(): boolean {
    return this.verified;
  }

  /** Whether a record may be overwritten without reading it first, on what the database remembers of it. */
  get isTrusted(): boolean {
    return this.trusted || this.verified;
  }

  get mustLook(): boolean {
    return (
      !this.verified && (this.doubted || this.addresses.some((address) => this.isUnsettled(atUri(address))))
    );
  }

  view(): RepositoryView {
    if (!this.verified) return { verified: false, current: new Map(), ours: new Set(), deleted: new Set() };
    const ours = new Set(this.mine);
    const deleted = new Set<string>();
    for (const [uri, cid] of this.known) {
      if (!this.isOurs(uri, cid)) continue;
      ours.add(uri);
      if (cid === null) deleted.add(uri);
    }
    return { verified: true, current: new Map(this.known), ours, deleted };
  }

  /** The CID at `head`, if it was read or written by this call. */
  cidAt(uri: string): Cid | undefined {
    return this.known.get(uri);
  }

  unread(): Address[] {
    return this.addresses.filter((address) => !this.known.has(atUri(address)));
  }

  /** Takes what was read at `head`. Only a CID that is there now can be the work of an earlier request. */
  learn(cids: ReadonlyMap<string, Cid>): void {
    const unsettled = { ...this.state.unsettled };
    for (const [uri, cid] of cids) {
      this.known.set(uri, cid);
      const intents = unsettled[uri];
      if (intents?.includes(cid)) unsettled[uri] = [cid];
      else delete unsettled[uri];
    }
    this.state = { ...this.state, unsettled };
    this.verified = true;
  }

  isOurs(uri: string, cid: Cid): boolean {
    return this.known.get(uri) === cid && (this.state.unsettled[uri]?.includes(cid) ?? false);
  }

  /** The addresses in `unsettled` that were not written again. */
  found(except: ReadonlyMap<string, unknown>): Map<string, Cid> {
    const found = new Map<string, Cid>();
    for (const [uri, cid] of this.known) {
      if (this.isOurs(uri, cid) && !except.has(uri)) found.set(uri, cid);
    }
    return found;
  }

  async sending(
    inFlight: Omit<RequestInFlight, 'cids'>,
    writes: readonly RecordWrite[],
    spentPoints: SpentPoints,
  ): Promise<void> {
    const cids = Object.fromEntries(writes.map((write) => [atUri(write.address), intentOf(write)]));
    // An earlier request may demand the same head after it was waited for. If this one fails to move the
    // head, that one may still land.
    this.unfenced();
    this.stored = this.state = { ...this.state, inFlight: { ...inFlight, cids }, spentPoints };
    await this.store.sending(this.did, this.state);
  }

  notApplied(): void {
    this.state = { ...this.state, inFlight: null };
  }

  /**
   * The request in flight has not landed so far, and could not be fenced. If it lands later, its work is
   * known to be ours.
   */
  unfenced(): void {
    const { inFlight, unsettled } = this.state;
    if (inFlight) this.state = { ...this.state, inFlight: null, unsettled: withIntents(unsettled, inFlight) };
  }

  /** Our own commit follows the head that we knew. */
  advance(head: string): void {
    this.head = head;
    this.state = { ...this.state, head, inFlight: null };
  }

  /** Another client, or a request of ours that was given up, has written: nothing that we knew is certain. */
  overtaken(): void {
    this.unfenced();
    this.head = null;
    this.state = { ...this.state, head: null };
    this.trusted = this.verified = false;
    this.known.clear();
  }

  doubt(): void {
    this.doubted = true;
  }

  /** These writes are at the PDS. */
  written(writes: readonly RecordWrite[]): void {
    for (const write of writes) {
      const uri = atUri(write.address);
      this.known.set(uri, intentOf(write));
      this.mine.add(uri);
    }
  }

  /**
   * The state to remember once these addresses are settled.
   *
   * @param head of our own commit, after which nothing is in flight
   */
  after(uris: Iterable<string>, head?: string): RepositoryState {
    const unsettled = { ...this.state.unsettled };
    for (const uri of uris) delete unsettled[uri];
    const ours = head === undefined ? {} : { head, inFlight: null };
    return { ...this.state, ...ours, unsettled };
  }

  settled(state: RepositoryState): void {
    this.state = state;
    if (state.head !== null) this.head = state.head;
  }

  /** Stores what has changed since the last request was sent. */
  async save(): Promise<void> {
    if (this.state === this.stored) return;
    await this.store.settled(this.did, this.state);
    this.stored = this.state;
  }

  private isUnsettled(uri: string): boolean {
    return uri in this.state.unsettled;
  }
}

/** The intents of a request, beside those of earlier ones. */
function withIntents(
  unsettled: RepositoryState['unsettled'],
  { cids }: RequestInFlight,
): RepositoryState['unsettled'] {
  const all: Record<string, readonly Cid[]> = { ...unsettled };
  for (const [uri, cid] of Object.entries(cids)) all[uri] = [...(all[uri] ?? []), cid];
  return all;
}
