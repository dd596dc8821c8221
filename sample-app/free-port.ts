import { once } from 'node:events';
import { createServer } from 'node:net';

/** The first port from `from` on that nobody listens at on 127.0.0.1; with 0, any. */
export async function freePort(from: number): Promise<number> {
  if (!Number.isInteger(from) || from < 0 || from > 65_535) {
    throw new Error(`PORT takes a number from 0 to 65535, got ${from}.`);
  }
  const server = createServer().listen(from, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return freePort(from + 1);
    throw error;
  }
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
