import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { LocalNetworkError } from './local-network.error.js';
import type {
  NetworkChildOptions,
  NetworkCommands,
  NetworkMessage,
  NetworkReady,
  NetworkRequest,
  NetworkServers,
} from './network-protocol.js';

const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 8_000;
const STDERR_KEPT = 8_000;

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** The parent's side of `network-child`: starts it, sends it requests, ends it. */
export class NetworkProcess implements NetworkServers {
  readonly #child: ChildProcess;
  readonly #ready: Promise<NetworkReady>;
  #settleReady!: { resolve(ready: NetworkReady): void; reject(error: Error): void };
  readonly #waiting = new Map<number, Waiting>();
  #requests = 0;
  #stderr = '';
  #dataDirectory: string | undefined;

  constructor(options: NetworkChildOptions, logs: boolean) {
    this.#ready = new Promise((resolve, reject) => (this.#settleReady = { resolve, reject }));
    // dist/ has the compiled child, lib/ only the source, whose types Node strips.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#child = fork(
      fileURLToPath(new URL(`./network-child.${extension}`, import.meta.url)),
      [JSON.stringify(options)],
      {
        execArgv: ['--disable-warning=ExperimentalWarning'],
        env: { ...process.env, LOG_ENABLED: String(logs) },
        stdio: ['ignore', logs ? 'inherit' : 'ignore', logs ? 'inherit' : 'pipe', 'ipc'],
      },
    );
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
    });
    this.#child.on('message', (message: NetworkMessage) => this.#receive(message));
    this.#child.once('error', (error) => this.#fail(`The local network failed: ${error.message}`, error));
    this.#child.once('close', (code, signal) => this.#fail(this.#obituary(code, signal)));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when both servers listen; rejects with what the child printed when they never do. */
  async ready(): Promise<NetworkReady> {
    const timer = setTimeout(() => {
      this.#fail(
        `The local network did not start within ${START_DEADLINE_MS / 1000} seconds.\n${this.#stderr}`,
      );
      this.#child.kill('SIGKILL');
    }, START_DEADLINE_MS);
    try {
      const ready = await this.#ready;
      this.#dataDirectory = ready.dataDirectory;
      return ready;
    } finally {
      clearTimeout(timer);
      this.#settleReferences();
    }
  }

  async request<K extends keyof NetworkCommands>(
    command: K,
    ...args: Parameters<NetworkCommands[K]>
  ): Promise<Awaited<ReturnType<NetworkCommands[K]>>> {
    if (!this.#child.connected) throw new LocalNetworkError('The local network has been stopped.');
    const id = ++this.#requests;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#settleReferences();
    const request: NetworkRequest = { id, command, args };
    // Without a callback, an error to send would be emitted as an 'error' event of the child.
    this.#child.send(request, (error) => {
      if (error) this.#receive({ reply: id, error: error.message });
    });
    return (await answer) as Awaited<ReturnType<NetworkCommands[K]>>;
  }

  /** Ends the child and waits until it is gone, with its temporary folder; by force after some seconds. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#removeData();
    this.#child.ref();
    const gone = once(this.#child, 'exit');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_DEADLINE_MS);
    // The child answers by ending: this request rejects, or is refused at once when the channel is closed.
    this.request('stop').catch(() => {});
    await gone;
    clearTimeout(timer);
    await this.#removeData();
  }

  /** Removes the data of a child that was killed; others remove it themselves. */
  async #removeData(): Promise<void> {
    if (this.#dataDirectory) await rm(this.#dataDirectory, { recursive: true, force: true });
  }

  #receive(message: NetworkMessage): void {
    if ('ready' in message) return this.#settleReady.resolve(message.ready);
    const waiting = this.#waiting.get(message.reply);
    this.#waiting.delete(message.reply);
    this.#settleReferences();
    if (message.error === undefined) waiting?.resolve(message.result);
    else waiting?.reject(new LocalNetworkError(`The local network refused: ${message.error}`));
  }

  #fail(message: string, cause?: unknown): void {
    const error = new LocalNetworkError(message, { cause });
    this.#settleReady.reject(error);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #obituary(code: number | null, signal: string | null): string {
    const hint = this.#stderr.includes('ERR_MODULE_NOT_FOUND')
      ? '\nIt needs the optional peers: npm install --save-dev @atproto/pds @did-plc/server'
      : '';
    return `The local network ended (${signal ?? `exit code ${code}`}).${hint}\n${this.#stderr}`.trimEnd();
  }

  /** An idle network must not keep a finished program alive; a request under way must. */
  #settleReferences(): void {
    const stderr = this.#child.stderr as (Readable & { unref?(): void }) | null;
    stderr?.unref?.();
    if (this.#waiting.size > 0) {
      this.#child.ref();
      this.#child.channel?.ref();
    } else {
      this.#child.unref();
      this.#child.channel?.unref();
    }
  }
}
