import type { Agent } from '@atproto/api';
import { cidForLex } from '@atproto/lex-cbor';
import { jsonToLex } from '@atproto/lex-json';
import { type Address, atUri } from '../../lib/model/address.js';
import { InMemoryRepositoryStateStore } from '../../lib/pds/in-memory-repository-state.store.js';
import {
  type RecordWrite,
  type RepositoryView,
  RepositoryWriter,
  type RepositoryWriterOptions,
  type WriteReport,
  type WriteRequest,
} from '../../lib/pds/repository-writer.js';
import { FaultyNetwork } from '../support/faulty-network.js';

export const COLLECTION = 'com.example.note';

/** A PDS behind a proxy, with apps that write to it. */
export class WriterNetwork extends FaultyNetwork {
  /** A new account with an app on it; the proxy's log is empty. */
  async app(options: RepositoryWriterOptions = {}): Promise<App> {
    const account = await this.account();
    const agent = await this.agent(account);
    this.proxy.reset();
    return new App(account, agent, options);
  }

  /** Operations of each commit but the first, as `action rkey`; a fence has none. */
  async commits({ did }: App): Promise<string[][]> {
    const [, ...commits] = await this.network.commits(did);
    return commits.map(({ ops }) => ops.map(({ action, path }) => `${action} ${path.split('/')[1]}`));
  }

  /** What is at the PDS: rkey to text. */
  async notes({ did }: App): Promise<Record<string, unknown>> {
    const records = await this.network.listRecords(did, COLLECTION);
    return Object.fromEntries(
      records.map(({ uri, value }) => [uri.split('/').at(-1), value['text']] as const).toReversed(),
    );
  }
}

export interface SaveOptions extends Partial<Omit<WriteRequest, 'did' | 'agent' | 'addresses' | 'decide'>> {
  readonly collection?: string;
}

/** Does what the sync engine does: knows what it wants, remembers what it wrote, and decides from the view. */
export class App {
  readonly did: string;
  readonly state: InMemoryRepositoryStateStore;
  /** What the database remembers: at-uri to CID. */
  readonly remembered = new Map<string, string | null>();
  /** Edits of somebody else that were overwritten. */
  readonly foreign = new Set<string>();
  readonly views: RepositoryView[] = [];
  writer: RepositoryWriter;

  constructor(
    account: { readonly did: string },
    public agent: Agent,
    private readonly options: RepositoryWriterOptions = {},
  ) {
    this.did = account.did;
    this.state = new InMemoryRepositoryStateStore();
    this.writer = new RepositoryWriter({ timeoutMs: 2_000, ...options, state: this.state });
  }

  /** As after a restart with a durable state: another process, the same memory. */
  restart(options: RepositoryWriterOptions = {}): void {
    this.writer = new RepositoryWriter({ timeoutMs: 2_000, ...this.options, ...options, state: this.state });
  }

  address(rkey: string, collection = COLLECTION): Address {
    return { did: this.did, collection, rkey };
  }

  uri(rkey: string): string {
    return atUri(this.address(rkey));
  }

  /** Makes the records what is given: a text, a whole record, or null for none. */
  async save(
    wanted: Record<string, string | object | null>,
    { collection = COLLECTION, ...rest }: SaveOptions = {},
  ): Promise<WriteReport> {
    const targets = await Promise.all(
      Object.entries(wanted).map(async ([rkey, value]) => {
        const address = this.address(rkey, collection);
        if (value === null) return { address, uri: atUri(address), cid: null, record: {} };
        const record = { $type: collection, ...(typeof value === 'string' ? { text: value } : value) };
        return { address, uri: atUri(address), record, cid: await cidOf(record) };
      }),
    );
    const remember = (uri: string, cid: string | null): void => void this.remembered.set(uri, cid);
    const report = await this.writer.write({
      did: this.did,
      agent: this.agent,
      addresses: targets.map(({ address }) => address),
      ...rest,
      decide: (view) => {
        this.views.push(view);
        const writes: RecordWrite[] = [];
        for (const { address, uri, record, cid } of targets) {
          const known = this.remembered.get(uri) ?? null;
          const current = view.verified ? (view.current.get(uri) ?? null) : known;
          if (current === cid) continue;
          if (current !== known && !view.ours.has(uri)) this.foreign.add(uri);
          writes.push(
            cid === null
              ? { action: 'delete', address, replaces: current }
              : { action: current === null ? 'create' : 'update', address, record, cid, replaces: current },
          );
        }
        return writes;
      },
      onCommit: async (writes, commit, after) => {
        for (const write of writes) {
          remember(atUri(write.address), write.action === 'delete' ? null : write.cid);
        }
        await rest.onCommit?.(writes, commit, after);
      },
      onFound: async (found, after, at) => {
        for (const [uri, cid] of found) remember(uri, cid);
        await rest.onFound?.(found, after, at);
      },
    });
    // What needed no write is as it should be, though the database may not have known it.
    for (const { uri, cid } of targets) if (!report.refused.has(uri)) remember(uri, cid);
    return report;
  }
}

const cidOf = async (record: object): Promise<string> =>
  (await cidForLex(jsonToLex(record as never, { strict: true }))).toString();

/** The error that a promise is rejected with. Any other than the expected is thrown on: it tells more than that it was another. */
export async function rejection<T extends Error = Error>(
  promise: Promise<unknown>,
  expected?: abstract new (...args: never[]) => T,
): Promise<T> {
  try {
    await promise;
  } catch (error) {
    if (expected && !(error instanceof expected)) throw error;
    return error as T;
  }
  throw new Error('Nothing was thrown');
}
