import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WebSocket } from 'ws';
import type { LogEntry, PdsLog } from './pds-log.js';
import { StandIn } from './stand-in.js';

export const TAP_PASSWORD = 'a password of tap';

/** A Tap on the real PDS's `subscribeRepos`: it sends each event until it is acknowledged. */
export class StandInTap extends StandIn {
  /** The accounts that were added. */
  readonly followed = new Set<string>();
  /** Events that are not acknowledged, by their id. */
  readonly outbox = new Map<number, string>();
  readonly acknowledged: number[] = [];
  /** Where events are posted to; null for the websocket. */
  webhook: ((body: unknown, authorization: string) => Promise<void>) | null = null;
  private seen = 0;
  private id = 0;
  private readonly posting = new Set<number>();
  private readonly stop: () => void;
  private readonly resending: NodeJS.Timeout;

  constructor(
    private readonly log: PdsLog,
    resendAfter = 400,
  ) {
    super();
    this.seen = log.entries.length;
    this.stop = log.listen(() => this.take());
    this.resending = setInterval(() => this.resend(), resendAfter);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    clearInterval(this.resending);
    await super[Symbol.asyncDispose]();
  }

  /** Sends an event that is kept until it is acknowledged. */
  enqueue(event: object): void {
    this.id++;
    this.outbox.set(this.id, JSON.stringify({ id: this.id, ...event }));
    this.deliverOne(this.id);
  }

  resend(): void {
    for (const id of this.outbox.keys()) this.deliverOne(id);
  }

  override garbage(): void {
    for (const message of this.garbageMessages()) this.send(message);
    this.enqueue({ type: 'unknown' });
    this.enqueue({ type: 'identity', identity: { did: '', handle: '' } });
    this.enqueue({ type: 'record', record: { did: 'did:plc:garbage' } });
    this.enqueue({ type: 'record', record: 1.5 });
  }

  protected override connected(socket: WebSocket): void {
    socket.on('message', (data: Buffer) => {
      const { type, id } = JSON.parse(data.toString()) as { type: string; id: number };
      if (type === 'ack') this.acknowledge(id);
    });
    this.resend();
  }

  protected override refuses(url: URL, { headers }: IncomingMessage) {
    if (url.pathname !== '/channel') return { status: 404, body: '' };
    return headers.authorization === AUTHORIZATION ? null : { status: 401, body: '' };
  }

  protected override async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.headers.authorization !== AUTHORIZATION) return void response.writeHead(401).end();
    if (this.isDown) return void response.writeHead(503).end();
    if (request.method !== 'POST' || request.url !== '/repos/add') return void response.writeHead(404).end();
    let body = '';
    for await (const chunk of request) body += String(chunk);
    for (const did of (JSON.parse(body) as { dids: string[] }).dids) this.followed.add(did);
    response.writeHead(200).end();
  }

  protected override garbageMessages(): (string | Buffer)[] {
    return ['no JSON', '[]', 'null', Buffer.from([0xff]), JSON.stringify({ type: 'record' })];
  }

  protected override floodMessage(padding: string): string {
    return JSON.stringify({ type: 'nothing', padding });
  }

  private take(): void {
    for (; this.seen < this.log.entries.length; this.seen++) {
      const entry = this.log.entries[this.seen];
      if (entry !== undefined && this.followed.has(entry.did)) this.tell(entry);
    }
  }

  private tell({ kind, did, fields }: LogEntry): void {
    if (kind === 'commit') {
      const { operation, ...record } = fields;
      this.enqueue({ type: 'record', record: { did, live: true, action: operation, ...record } });
    } else if (kind === 'account') {
      const status = fields['status'] ?? 'active';
      const identity = { did, handle: 'writer.test', is_active: fields['active'], status };
      this.enqueue({ type: 'identity', identity });
    }
  }

  private deliverOne(id: number): void {
    const message = this.outbox.get(id) ?? '';
    const [socket] = this.sockets;
    if (this.webhook === null && socket !== undefined) return this.deliver(socket, message);
    if (this.webhook === null || this.posting.has(id)) return;
    this.posting.add(id);
    this.webhook(JSON.parse(message), AUTHORIZATION)
      .then(() => this.acknowledge(id))
      .catch(() => {})
      .finally(() => this.posting.delete(id));
  }

  private acknowledge(id: number): void {
    this.acknowledged.push(id);
    this.outbox.delete(id);
  }
}

const AUTHORIZATION = `Basic ${Buffer.from(`admin:${TAP_PASSWORD}`).toString('base64')}`;
