import { fork, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { TestEnvironment } from 'jest-environment-node';
import type { NetworkMessage, NetworkReady } from '../../lib/testing/network/network-protocol.js';

/** The servers of one jest worker, as its test files see them. Their values cross realms: plain data only. */
export interface WorkerServers {
  readonly pid: number;
  readonly ready: NetworkReady;
  /** Numbers that no file of this worker has had. */
  next(): number;
  request(command: string, args: readonly unknown[]): Promise<ServersAnswer>;
}

/** `error` when they refused. */
export interface ServersAnswer {
  readonly result?: unknown;
  readonly error?: string;
}

declare global {
  var workerServers: (() => Promise<WorkerServers>) | undefined;
}

/** This module is loaded once in a worker, and each test file once more: what is kept here outlives the files. */
let servers: Promise<WorkerServers> | undefined;

// Jest does not tell its workers that it was killed: they would finish their files, and keep their servers as long.
if (process.send) {
  const jest = process.ppid;
  setInterval(() => process.ppid === jest || process.exit(1), 1_000).unref();
}

/** Gives a test file the servers of its worker, which start when a file of the worker asks for them first. */
export default class ServersEnvironment extends TestEnvironment {
  override async setup(): Promise<void> {
    await super.setup();
    this.global.workerServers = () => (servers ??= start());
  }
}

/**
 * What `NetworkProcess` does; jest compiles this file for itself and would not find what that imports. The child ends
 * itself when its channel to this worker closes, also when the worker was killed.
 */
async function start(): Promise<WorkerServers> {
  const file = new URL('../../lib/testing/network/network-child.ts', import.meta.url);
  const child = fork(fileURLToPath(file), [JSON.stringify({ rateLimits: false })], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    env: { ...process.env, LOG_ENABLED: 'false' },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-8_000)));
  const waiting = new Map<number, (answer: ServersAnswer) => void>();
  const ready = await new Promise<NetworkReady>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      servers = undefined;
      const error = `The servers of this worker ended (${signal ?? `exit code ${code}`}).\n${stderr}`;
      reject(new Error(error));
      for (const answer of waiting.values()) answer({ error });
    });
    child.on('message', (message: NetworkMessage) => {
      if ('ready' in message) return resolve(message.ready);
      waiting.get(message.reply)?.(message);
      waiting.delete(message.reply);
      release(child, waiting.size);
    });
  });
  release(child, 0);
  let requests = 0;
  let numbers = 0;
  return {
    pid: child.pid ?? 0,
    ready,
    next: () => ++numbers,
    request: (command, args) =>
      new Promise((answer) => {
        const id = ++requests;
        waiting.set(id, answer);
        release(child, waiting.size);
        // Without a callback, an error to send would be an 'error' event of the child, which nobody awaits.
        child.send({ id, command, args }, (error) => error && answer({ error: error.message }));
      }),
  };
}

/** Idle servers must not keep a worker alive that has nothing left to do. */
function release(child: ChildProcess, waiting: number): void {
  if (waiting > 0) child.channel?.ref();
  else child.channel?.unref();
  (child.stderr as Socket | null)?.unref();
  child.unref();
}
