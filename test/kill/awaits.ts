import { AsyncLocalStorage } from 'node:async_hooks';
import type { DataSource } from 'typeorm';
import { isAwaited, REQUESTS, type Awaited, type Point } from './points.js';

type Method = (...args: unknown[]) => Promise<unknown>;

/** What is seen of an `applyWrites`. */
export interface Write {
  readonly deletes: boolean;
}

/** Sees every await of the lane worker, and each COMMIT of the application. */
export class Awaits {
  /** In the worker: the account that it works for. */
  private readonly worker = new AsyncLocalStorage<string>();

  /** Awaited; the worker goes on when it resolves. */
  onPoint: (point: Point, did: string, write?: Write) => Promise<void> | void = () => undefined;
  /** After the COMMIT, before anything is dispatched. */
  onCommitted: () => void = () => undefined;
  /** The worker awaits something that no process is killed at. */
  onUnknown: (name: string) => void = () => undefined;
  /** Before a request is sent and after its answer: whether it fails here. */
  stumbles: (did: string) => boolean = () => false;

  watchWorker(worker: object): void {
    wrap(worker, ['work'], (_name, work, did) => this.worker.run(String(did), work));
  }

  watch(target: object, methods: readonly string[] = methodsOf(target)): void {
    wrap(target, methods, (name, method) => {
      if (isAwaited(name)) return this.around(name, method);
      if (this.worker.getStore() !== undefined) this.onUnknown(name);
      return method();
    });
  }

  /** Statements of whatever query runner. */
  async watchQueries(dataSource: DataSource): Promise<void> {
    const runner = dataSource.createQueryRunner();
    wrap(Object.getPrototypeOf(runner) as object, ['query'], async (_name, query, sql) => {
      const result = await this.around('query', query);
      if (sql === 'COMMIT' && this.worker.getStore() === undefined) this.onCommitted();
      return result;
    });
    await runner.release();
  }

  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    const nsid = new URL(request.url).pathname.split('.').at(-1);
    const name = REQUESTS.find((one) => one === nsid);
    if (!name) return fetch(request);
    if (name !== 'applyWrites') return this.around(name, () => this.send(request));
    const { writes } = (await request.clone().json()) as { writes: { $type: string }[] };
    const write = { deletes: writes.some(({ $type }) => $type.endsWith('#delete')) };
    return this.around(writes.length === 0 ? 'fence' : name, () => this.send(request), write);
  };

  private async send(request: Request): Promise<Response> {
    const stumbles = (): void => {
      if (this.stumbles(this.worker.getStore() ?? '')) throw new TypeError('fetch failed');
    };
    stumbles();
    const response = await fetch(request);
    stumbles();
    return response;
  }

  private async around<T>(awaited: Awaited, fn: () => Promise<T>, write?: Write): Promise<T> {
    const did = this.worker.getStore();
    if (did === undefined) return fn();
    // What is done meanwhile is not the worker's.
    const reached = (point: Point) => this.worker.exit(() => this.onPoint(point, did, write));
    await reached(`before ${awaited}`);
    try {
      return await fn();
    } finally {
      await reached(`after ${awaited}`);
    }
  }
}

function wrap(
  target: object,
  names: readonly string[],
  around: (name: string, method: () => Promise<unknown>, first: unknown) => Promise<unknown>,
): void {
  const named = target as Record<string, Method>;
  for (const name of names) {
    const method = named[name]!;
    named[name] = function (this: unknown, ...args) {
      return around(name, () => method.apply(this, args), args[0]);
    };
  }
}

/** An `on(runner)` makes another store of the same class; background mode asks for none. */
function methodsOf(target: object): string[] {
  const names = new Set<string>();
  for (let one: object = target; one !== Object.prototype; one = Object.getPrototypeOf(one) as object) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(one)))
      if (typeof value === 'function' && name !== 'constructor' && name !== 'on') names.add(name);
  }
  return [...names];
}
