import { encode } from '@atproto/lex-cbor';
import { WebSocket } from 'ws';
import { StandIn } from './stand-in.js';

type Body = Parameters<typeof encode>[0];

export const frame = (t: string, body: Body): Buffer => Buffer.concat([encode({ op: 1, t }), encode(body)]);

export const errorFrame = (error: string, message: string): Buffer =>
  Buffer.concat([encode({ op: -1 }), encode({ error, message })]);

/** Passes `subscribeRepos` of a PDS on, frame by frame. */
export class StandInRelay extends StandIn {
  /** Changes a frame on its way, or takes it out. */
  change: (frame: Buffer) => Buffer | null = (same) => same;
  /** What the next connection with a cursor is told first; the connection then goes on from now. */
  forgotten: Buffer | null = null;

  constructor(private readonly pdsUrl: string) {
    super();
  }

  /** Loses all positions: the next connection is told that its cursor is outdated. */
  forget(): void {
    this.forgotten = frame('#info', { name: 'OutdatedCursor' });
    this.drop();
  }

  protected override connected(socket: WebSocket, url: URL): void {
    const upstream = new URL('/xrpc/com.atproto.sync.subscribeRepos', this.pdsUrl.replace('http', 'ws'));
    const cursor = url.searchParams.get('cursor');
    if (cursor !== null && this.forgotten !== null) {
      this.deliver(socket, this.forgotten);
      this.forgotten = null;
    } else if (cursor !== null) upstream.searchParams.set('cursor', cursor);
    const from = new WebSocket(upstream);
    from.on('error', () => {});
    from.on('message', (data: Buffer) => {
      const changed = this.change(data);
      if (changed !== null) this.deliver(socket, changed);
    });
    socket.on('close', () => from.terminate());
  }

  protected override garbageMessages(): (string | Buffer)[] {
    return [
      'text',
      Buffer.from([0xff, 0x00, 0xff]),
      Buffer.alloc(0),
      Buffer.from(encode({ op: 1, t: '#commit' })),
      Buffer.concat([encode({ op: 2 }), encode({})]),
      frame('#unknown', { seq: 1 }),
      frame('#commit', { seq: 'none' }),
      Buffer.concat([frame('#info', { name: 'OutdatedCursor' }), encode({})]),
    ];
  }

  protected override floodMessage(padding: string): Buffer {
    return frame('#nothing', { padding });
  }
}
