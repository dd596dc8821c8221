import { connect } from 'node:net';
import { describeWith } from './describe-with.js';

const known = {
  postgres: {
    label: 'PostgreSQL',
    variable: 'PARITY_TEST_POSTGRES_URL',
    url: 'postgres://postgres@127.0.0.1:5432/test',
  },
  mariadb: {
    label: 'MariaDB',
    variable: 'PARITY_TEST_MARIADB_URL',
    url: 'mariadb://root@127.0.0.1:3306',
  },
  redis: {
    label: 'Redis',
    variable: 'PARITY_TEST_REDIS_URL',
    url: 'redis://127.0.0.1:6379',
  },
} as const;

export type ServerName = keyof typeof known;

interface Server {
  url: URL;
  /** Why it cannot be used; absent when it can. */
  missing?: string;
}

const defaultPorts: Record<string, number> = {
  'postgres:': 5432,
  'postgresql:': 5432,
  'mariadb:': 3306,
  'mysql:': 3306,
  'redis:': 6379,
};

async function probe(name: ServerName): Promise<Server> {
  const { label, variable, url: standard } = known[name];
  const url = new URL(process.env[variable] ?? standard);
  const port = Number(url.port) || defaultPorts[url.protocol];
  if (port === undefined) throw new Error(`${variable} has an unknown scheme: ${url.protocol}`);
  const failure = await new Promise<string | undefined>((resolve) => {
    const socket = connect({ host: url.hostname, port, timeout: 2_000 });
    const end = (reason?: string) => {
      socket.destroy();
      resolve(reason);
    };
    socket.once('connect', () => end());
    socket.once('timeout', () => end('no answer in 2 s'));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
  if (failure === undefined) return { url };
  return { url, missing: `no ${label} at ${url.hostname}:${port} (${failure}); ${variable} names another` };
}

// Jest registers tests synchronously, so the answers have to be here before the first `describe`.
const [postgres, mariadb, redis] = await Promise.all([probe('postgres'), probe('mariadb'), probe('redis')]);
const servers: Record<ServerName, Server> = { postgres, mariadb, redis };

/** Where the server is, with user and, if the URL has one, the database to sign in to. */
export function serverUrl(name: ServerName): URL {
  return new URL(servers[name].url);
}

/** A `describe` that needs a server; see {@link describeWith} for what happens without it. */
export function describeIf(server: ServerName): (name: string, define: () => void) => void {
  return describeWith(known[server].label, servers[server].missing);
}
