import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer, type WebSocket } from 'ws';

const CHUNK = 1024 * 1024;
const FLOOD_BYTES = 48 * CHUNK;

/** A websocket service with the faults that services and networks have. */
export abstract class StandIn implements AsyncDisposable {
  /** The URLs of all connections so far. */
  readonly requests: URL[] = [];
  readonly sockets = new Set<WebSocket>();
  /** Whether new connections are refused. */
  isDown = false;
  /** Whether connections are kept, and nothing is sent, not even a pong. */
  isStalled = false;
  private readonly server: Server;
  private readonly websockets = new WebSocketServer({ noServer: true, autoPong: false });

  constructor() {
    this.server = createServer((request, response) => void this.answer(request, response));
    this.server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => {});
      const url = new URL(request.url ?? '', 'http://stand-in');
      const refused = this.isDown ? { status: 503, body: '' } : this.refuses(url, request);
      if (refused !== null) {
        socket.end(
          `HTTP/1.1 ${refused.status} Refused\r\nContent-Type: application/json\r\n` +
            `Content-Length: ${Buffer.byteLength(refused.body)}\r\nConnection: close\r\n\r\n${refused.body}`,
        );
        return;
      }
      this.websockets.handleUpgrade(request, socket, head, (websocket) => {
        this.requests.push(url);
        this.sockets.add(websocket);
        websocket.on('error', () => {});
        websocket.on('close', () => this.sockets.delete(websocket));
        websocket.on('ping', (data) => this.isStalled || websocket.pong(data));
        this.connected(websocket, url);
      });
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get host(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  drop(): void {
    for (const socket of this.sockets) socket.terminate();
  }

  close(): void {
    for (const socket of this.sockets) socket.close(1000);
  }

  /** Sends a message to all, whatever it is. */
  send(message: string | Buffer): void {
    for (const socket of this.sockets) this.deliver(socket, message);
  }

  garbage(): void {
    for (const message of this.garbageMessages()) this.send(message);
  }

  /** Sends large messages until a socket takes no more for a second. */
  async flood(): Promise<boolean> {
    const message = this.floodMessage('x'.repeat(CHUNK));
    for (let sent = 0; sent < FLOOD_BYTES; sent += CHUNK) this.send(message);
    for (let quiet = 0, before = -1; quiet < 5;) {
      await sleep(200);
      const waiting = [...this.sockets].reduce((bytes, socket) => bytes + socket.bufferedAmount, 0);
      if (waiting === 0) return false;
      quiet = waiting >= before ? quiet + 1 : 0;
      before = waiting;
    }
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.drop();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  protected deliver(socket: WebSocket, message: string | Buffer): void {
    if (!this.isStalled && socket.readyState === socket.OPEN) socket.send(message);
  }

  protected abstract connected(socket: WebSocket, url: URL): void;
  protected abstract garbageMessages(): (string | Buffer)[];
  /** A message that a source takes, and tells nothing of. */
  protected abstract floodMessage(padding: string): string | Buffer;

  protected refuses(_url: URL, _request: IncomingMessage): { status: number; body: string } | null {
    return null;
  }

  protected answer(_request: IncomingMessage, response: ServerResponse): Promise<void> | void {
    response.writeHead(404).end();
  }
}

/** An answer of XRPC that refuses. */
export const xrpcError = (error: string, message: string): { status: number; body: string } => ({
  status: 400,
  body: JSON.stringify({ error, message }),
});
