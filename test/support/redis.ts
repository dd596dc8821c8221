import { createKeyv } from '@keyv/redis';
import { randomBytes } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { serverUrl } from './servers.js';

export const aNamespace = (): string => `parity-test-${randomBytes(6).toString('hex')}`;

/** A Keyv as one process of an application makes it, without any option that it does not need. */
export const redisKeyv = (namespace: string, url = serverUrl('redis').href): ReturnType<typeof createKeyv> =>
  createKeyv(url, { namespace });

/** A way to the real Redis that can be cut, or that swallows what is sent. */
export class RedisProxy {
  private readonly open = new Set<Socket>();
  private isCut = false;
  private isSilent = false;

  private constructor(private readonly server: Server) {
    server.on('connection', (client) => this.pass(client));
  }

  static async start(): Promise<RedisProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    return new RedisProxy(server);
  }

  get url(): string {
    return `redis://localhost:${(this.server.address() as AddressInfo).port}`;
  }

  /** Connections are broken and refused, as while Redis restarts. */
  cut(): void {
    this.isCut = true;
    for (const socket of this.open) socket.destroy();
  }

  /** Connections are there, and nothing comes back. */
  silence(): void {
    this.isSilent = true;
    for (const socket of this.open) socket.pause();
  }

  mend(): void {
    this.isCut = this.isSilent = false;
    for (const socket of this.open) socket.resume();
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private pass(client: Socket): void {
    if (this.isCut) return void client.destroy();
    const { hostname, port } = serverUrl('redis');
    const redis = connect(Number(port), hostname);
    for (const [socket, other] of [
      [client, redis],
      [redis, client],
    ] as const) {
      this.open.add(socket);
      socket.on('data', (data) => other.write(data));
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.open.delete(socket);
        other.destroy();
      });
      if (this.isSilent) socket.pause();
    }
  }
}
