/**
 * The process behind `LocalNetwork`: a PLC directory with its database in memory, and a PDS with its data in
 * a temporary folder. A process of its own keeps the servers' CPU time and globals out of the tests.
 *
 * Node runs this file as it is, and strips its types where it runs from source. So it uses erasable syntax
 * only. It has no relative imports except of types, since their ending would differ between `lib/` and
 * `dist/`.
 */
import crypto, { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PDS, envToCfg, envToSecrets, sequencer } from '@atproto/pds';
import { Database as PlcDatabase, PlcServer } from '@did-plc/server';
import type {
  NetworkChildOptions,
  NetworkCommands,
  NetworkMessage,
  NetworkRequest,
  RepositoryCommit,
} from './network-protocol.js';

const SHUTDOWN_DEADLINE_MS = 5_000;
const PORT_ATTEMPTS = 20;

const options: NetworkChildOptions = JSON.parse(process.argv[2] ?? '{}');
const adminPassword = randomBytes(16).toString('hex');
const rateLimitBypassKey = randomBytes(16).toString('hex');
const jwtSecret = randomBytes(32).toString('hex');
const dpopSecret = randomBytes(32).toString('hex');
const plcRotationKey = randomBytes(32).toString('hex');
const plcDatabase = PlcDatabase.mock();

let dataDirectory: string | undefined;
let plc: PlcServer | undefined;
let pds: PDS | undefined;
let plcPort = 0;
let pdsPort = 0;

process.on('exit', () => {
  if (dataDirectory) rmSync(dataDirectory, { recursive: true, force: true });
});
process.once('disconnect', () => void shutDown());
process.once('SIGTERM', () => void shutDown());
// Ctrl-C reaches the whole process group. The application must still find its PDS while it shuts down; this
// process ends with the application.
process.on('SIGINT', () => {});
// The reading end disappears with the parent; an EPIPE must not interrupt the shutdown.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
// A request that stopPds() has cut off rejects somewhere inside the PDS, which must not end the network.
process.on('unhandledRejection', (reason) =>
  console.error('unhandled rejection in the local network:', reason),
);

/**
 * Neither server takes a host, and a server without one listens on every interface: any machine that reaches
 * this one would find accounts whose passwords are in a README.
 */
const { listen: listenAt } = Server.prototype as { listen: (...args: readonly unknown[]) => Server };
Object.assign(Server.prototype, {
  listen(this: Server, port: unknown, ...rest: readonly unknown[]): Server {
    return listenAt.call(this, { port, host: '127.0.0.1' }, ...rest);
  },
});

/**
 * The PDS hashes passwords slowly to protect stolen ones, which takes most of the time of a new account or a
 * login. These passwords end with the network.
 */
const { scrypt } = crypto;
Object.assign(crypto, {
  scrypt: (...[password, salt, length, done]: Parameters<typeof scrypt>): void =>
    scrypt(password, salt, length, { cost: 2 }, done as never),
});
syncBuiltinESMExports();

/**
 * Ports below the range that Linux and macOS use for outgoing connections: no such connection can take the
 * port while the PDS is stopped.
 */
function randomPort(): number {
  return 11_000 + Math.floor(Math.random() * 21_000);
}

async function onFreePort(
  fixed: number | undefined,
  listen: (port: number) => Promise<void>,
): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = fixed ?? randomPort();
    try {
      await listen(port);
      return port;
    } catch (error) {
      const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      if (!taken || fixed !== undefined || attempt >= PORT_ATTEMPTS) throw error;
    }
  }
}

async function listenPlc(port: number): Promise<void> {
  const server = PlcServer.create({ db: plcDatabase, port });
  await server.start();
  plc = server;
}

async function listenPds(port: number): Promise<void> {
  const directory = dataDirectory ?? '';
  const env = {
    port,
    hostname: 'localhost',
    devMode: true,
    dataDirectory: directory,
    blobstoreDiskLocation: join(directory, 'blobs'),
    blobstoreDiskTmpLocation: join(directory, 'blobs-temporary'),
    didPlcUrl: `http://localhost:${plcPort}`,
    serviceHandleDomains: ['.test'],
    inviteRequired: false,
    rateLimitsEnabled: options.rateLimits,
    rateLimitBypassKey,
    jwtSecret,
    dpopSecret,
    adminPassword,
    plcRotationKeyK256PrivateKeyHex: plcRotationKey,
  };
  const config = envToCfg(env as Parameters<typeof envToCfg>[0]);
  if (options.publicUrl !== undefined) {
    config.service.publicUrl = options.publicUrl;
    config.oauth.issuer = options.publicUrl;
  }
  const server = await PDS.create(config, envToSecrets(env as Parameters<typeof envToSecrets>[0]));
  try {
    await server.start();
  } catch (error) {
    // PDS.destroy() would fail for a server that never listened, and hide the reason.
    await server.ctx.destroy();
    throw error;
  }
  pds = server;
}

function runningPds(): PDS {
  if (!pds) throw new Error('the PDS is stopped');
  return pds;
}

async function stopPds(abruptly: boolean): Promise<void> {
  const server = pds;
  pds = undefined;
  if (!server) return;
  if (abruptly) server.server?.closeAllConnections();
  await server.destroy();
  // PDS.destroy() leaves this one open; every restart would leak a handle of the same file.
  server.ctx.sequencer.db.close();
}

async function stopPlc(): Promise<void> {
  const server = plc;
  plc = undefined;
  await server?.destroy();
}

async function commits(did: string): Promise<RepositoryCommit[]> {
  const rows = await runningPds()
    .ctx.sequencer.db.db.selectFrom('repo_seq')
    .selectAll()
    .where('did', '=', did)
    .where('eventType', '=', 'append')
    .where('invalidated', '=', 0)
    .orderBy('seq', 'asc')
    .execute();
  return sequencer.parseRepoSeqRows(rows).flatMap((event) => {
    if (event.type !== 'commit') return [];
    const { rev, since, commit, ops } = event.evt;
    return {
      seq: event.seq,
      rev,
      cid: commit.toString(),
      since,
      ops: ops.map((op) => ({ action: op.action, path: op.path, cid: op.cid?.toString() ?? null })),
    };
  });
}

function oauthTokens(did: string) {
  const provider = runningPds().ctx.oauthProvider;
  if (!provider) throw new Error('the PDS runs without its OAuth provider');
  const { tokenManager } = provider;
  return { tokenManager, list: () => tokenManager.listAccountTokens(did as `did:plc:${string}`) };
}

async function revokeSessions(did: string): Promise<number> {
  const { tokenManager, list } = oauthTokens(did);
  const tokens = await list();
  for (const token of tokens) await tokenManager.deleteToken(token.id);
  return tokens.length;
}

/**
 * Gives the sessions another token id, as a rotation does: access tokens of the old one get the 401 of an
 * expired token. Moving `expiresAt` into the past would not do: the PDS deletes a session whose row has
 * expired, refresh token included.
 */
async function expireAccessTokens(did: string): Promise<number> {
  const { list } = oauthTokens(did);
  const tokens = await list();
  const { db } = runningPds().ctx.accountManager.db;
  for (const { id } of tokens) {
    const tokenId = `tok-${randomBytes(16).toString('hex')}` as const;
    await db.updateTable('token').set({ tokenId }).where('tokenId', '=', id).execute();
  }
  return tokens.length;
}

let shuttingDown: Promise<void> | undefined;

function shutDown(): Promise<void> {
  shuttingDown ??= (async () => {
    setTimeout(() => process.exit(1), SHUTDOWN_DEADLINE_MS).unref();
    await Promise.allSettled([stopPds(true), stopPlc()]);
    process.exit(0);
  })();
  return shuttingDown;
}

const commands: NetworkCommands = {
  startPds: async () => {
    if (!pds) await listenPds(pdsPort);
  },
  stopPds,
  startPlc: async () => {
    if (!plc) await listenPlc(plcPort);
  },
  stopPlc,
  commits,
  oauthSessions: async (did) => (await oauthTokens(did).list()).length,
  revokeSessions,
  expireAccessTokens,
  stop: shutDown,
};

function tell(message: NetworkMessage): void {
  if (process.connected) process.send?.(message);
}

process.on('message', (request: NetworkRequest) => {
  const run = commands[request.command] as (...args: readonly unknown[]) => Promise<unknown>;
  run(...request.args).then(
    (result) => tell({ reply: request.id, result }),
    (error: unknown) =>
      tell({
        reply: request.id,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
  );
});

dataDirectory = await mkdtemp(join(tmpdir(), 'nestjs-parity-network-'));
plcPort = await onFreePort(options.plcPort, listenPlc);
pdsPort = await onFreePort(options.pdsPort, listenPds);
// The parent may have ended while the imports ran, before this process could notice.
if (!process.connected) await shutDown();
tell({
  ready: {
    pdsPort,
    plcPort,
    publicUrl: runningPds().ctx.cfg.service.publicUrl,
    dataDirectory,
    adminPassword,
    rateLimitBypassKey,
  },
});
