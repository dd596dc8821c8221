import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import type { LogEntry, PdsLog } from './pds-log.js';
import { StandIn, xrpcError } from './stand-in.js';

interface Event {
  readonly position: number;
  readonly entry: LogEntry;
}

interface Filter {
  dids: readonly string[];
  collections: readonly string[];
}

const V2 = '/xrpc/network.bsky.jetstream.subscribeEvents';
const FIRST_OF_V2 = 1_000;

/** A Jetstream that serves both versions, on the real PDS's `subscribeRepos`. */
export class StandInJetstream extends StandIn {
  /** Positions before are forgotten: refused by version 2, passed over silently by version 1. */
  floor = 0;
  /** Changes what is told of an event. */
  change: (fields: LogEntry['fields']) => LogEntry['fields'] = (same) => same;
  /** What the next connection of version 2 is told first. */
  first: object | null = null;
  private readonly events: Event[] = [];
  private last = 0;
  private readonly stop: () => void;

  /** @param version of the positions */
  constructor(
    private readonly log: PdsLog,
    private readonly version: 1 | 2,
  ) {
    super();
    this.stop = log.listen(() => this.take());
  }

  forget(): void {
    this.floor = this.next();
    this.drop();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await super[Symbol.asyncDispose]();
  }

  protected override refuses(url: URL, request: IncomingMessage) {
    if ((url.pathname === V2) !== (this.version === 2)) return { status: 404, body: '' };
    if (this.version === 1) return null;
    if (request.headers['sec-websocket-protocol'] !== 'xrpc.v1.json') return { status: 400, body: '' };
    const cursor = url.searchParams.get('cursor');
    if (cursor === null) return null;
    if (Number(cursor) < this.floor) return xrpcError('CursorTooOld', `the oldest is ${this.floor}`);
    return Number(cursor) > this.last + 1 ? xrpcError('FutureCursor', 'no such event yet') : null;
  }

  protected override connected(socket: WebSocket, url: URL): void {
    const all = (name: string): string[] => url.searchParams.getAll(name);
    const filter: Filter =
      this.version === 1
        ? { dids: all('wantedDids'), collections: all('wantedCollections') }
        : { dids: all('dids'), collections: all('collections') };
    if (this.first !== null) this.deliver(socket, JSON.stringify(this.first));
    this.first = null;
    if (url.searchParams.get('requireHello') !== 'true') return this.follow(socket, url, filter);
    socket.once('message', (data: Buffer) => {
      const { payload } = JSON.parse(data.toString()) as {
        payload: { wantedDids: string[]; wantedCollections: string[] };
      };
      this.follow(socket, url, { dids: payload.wantedDids, collections: payload.wantedCollections });
    });
  }

  protected override garbageMessages(): (string | Buffer)[] {
    const unknown = { did: 'did:plc:garbage', time_us: this.last, kind: 'unknown' };
    const payload = { $type: 'network.bsky.jetstream.subscribeEvents#unknown', seq: this.last };
    return [
      'no JSON',
      '[]',
      'null',
      '{}',
      '"text"',
      Buffer.from([0xff]),
      JSON.stringify(unknown),
      JSON.stringify({ ...unknown, kind: 'commit' }),
      JSON.stringify({ $type: 'message', payload }),
      JSON.stringify({ $type: 'message', payload: { ...payload, $type: `${V2.slice(6)}#commit` } }),
    ];
  }

  protected override floodMessage(padding: string): string {
    return this.version === 1
      ? JSON.stringify({ did: 'did:plc:other', time_us: 1, kind: 'nothing', padding })
      : JSON.stringify({ $type: 'nothing', padding });
  }

  private next(): number {
    if (this.version === 2) return Math.max(FIRST_OF_V2, this.last + 1);
    return Math.max(this.last + 1, Date.now() * 1_000);
  }

  private take(): void {
    const entry = this.log.entries.at(-1);
    // A commit of several records is several entries; each is taken once.
    for (const one of this.log.entries.slice(this.events.length)) {
      this.last = this.next();
      this.events.push({ position: this.last, entry: one });
    }
    if (entry !== undefined) this.onEvents.forEach((tell) => tell());
  }

  private readonly onEvents = new Set<() => void>();

  private follow(socket: WebSocket, url: URL, filter: Filter): void {
    const cursor = url.searchParams.get('cursor');
    const from = Math.max(this.floor, Number(cursor));
    let at =
      cursor === null ? this.events.length : this.events.filter(({ position }) => position < from).length;
    const tell = (): void => {
      for (; at < this.events.length; at++) {
        const event = this.events[at];
        if (event !== undefined && this.tells(event.entry) && passes(event.entry, filter))
          this.deliver(socket, this.message(event));
      }
    };
    this.onEvents.add(tell);
    socket.on('close', () => this.onEvents.delete(tell));
    tell();
  }

  /** Version 1 has no `sync`. */
  private tells({ kind }: LogEntry): boolean {
    return this.version === 2 || kind !== 'sync';
  }

  private message({ position, entry }: Event): string {
    const { kind, did } = entry;
    const fields = this.change(entry.fields);
    if (this.version === 1) return JSON.stringify({ did, time_us: position, kind, [kind]: fields });
    const payload = {
      $type: `network.bsky.jetstream.subscribeEvents#${kind}`,
      seq: position,
      did,
      time: new Date().toISOString(),
    };
    return JSON.stringify({
      $type: 'message',
      payload: kind === 'commit' ? { ...payload, ...fields } : { ...payload, [kind]: fields },
    });
  }
}

const passes = ({ did, collection }: LogEntry, { dids, collections }: Filter): boolean =>
  (dids.length === 0 || dids.includes(did)) &&
  (collection === null || collections.length === 0 || collections.includes(collection));
