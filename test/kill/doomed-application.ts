import { setTimeout as sleep } from 'node:timers/promises';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { AppPasswordSessionProvider, parityEntities, ParityModule, ParityService } from 'nestjs-parity';
import { PENDING_STORE } from '../../lib/parity.module-pending.js';
import { RepositoryStateStore } from '../../lib/pds/repository-state.store.js';
import { random } from './random.js';
import { notebook, notebookMappers, Owner } from '../property/notebook.js';
import type { WriteStep } from '../property/steps.js';
import { perform } from '../property/writes.js';
import type { KillProcessInput } from './kill-process.js';

const METHODS = [
  'lease',
  'due',
  'at',
  'settle',
  'failed',
  'discard',
  'release',
  'wake',
  'load',
  'sending',
  'settled',
];

export async function live({ pdsUrl, database, accounts, seed, dieAt }: KillProcessInput): Promise<void> {
  let awaits = -Infinity;
  const passed = (): void => {
    if (++awaits === dieAt) process.kill(process.pid, 'SIGKILL');
  };
  const dangerous =
    <A extends unknown[], T>(fn: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      passed();
      try {
        return await fn(...args);
      } finally {
        passed();
      }
    };

  const sessions = new AppPasswordSessionProvider({
    service: pdsUrl,
    accounts: accounts.map(({ did, password }) => ({ identifier: did, password })),
    fetch: dangerous((...args: Parameters<typeof fetch>) => fetch(...args)),
  });
  const app = await NestFactory.createApplicationContext(
    {
      module: class Doomed {},
      imports: [
        TypeOrmModule.forRoot({
          ...(database as TypeOrmModuleOptions),
          entities: [...notebook, ...parityEntities],
          synchronize: false,
          retryAttempts: 0,
        }),
        EventEmitterModule.forRoot(),
        ParityModule.forRoot({
          sessions,
          pendingSyncs: { enabled: true, storage: 'database' },
          sync: { mode: 'background' },
          mappers: notebookMappers,
        }),
      ],
    },
    { logger: ['warn', 'error'] },
  );
  const dataSource = app.get(DataSource);
  for (const store of [app.get<object>(PENDING_STORE), app.get<object>(RepositoryStateStore)])
    watch(store, dangerous);
  const runner = dataSource.createQueryRunner();
  watch(Object.getPrototypeOf(runner) as object, dangerous, ['query']);
  await runner.release();
  const parity = app.get(ParityService);
  const owners = await dataSource.getRepository(Owner).find({ order: { id: 'ASC' } });

  awaits = 0;
  process.send?.('alive');
  const { integer, pick } = random(seed);
  for (const end = dieAt === null ? 0 : Date.now() + 60_000; Date.now() < end;) {
    await perform(anyWrite(integer, pick), dataSource.manager, owners);
    await sleep(integer(8));
  }
  // Wakes both lanes; without it a sweep would, after a minute.
  for (const account of [0, 1])
    await perform({ kind: 'insert', account, text: 'd', open: true }, dataSource.manager, owners);
  for (const end = Date.now() + 30_000; Date.now() < end; await sleep(20)) {
    const pending = await Promise.all(owners.map(({ did }) => parity.hasPendingSyncs(did)));
    if (!pending.includes(true)) break;
  }
  await app.close();
}

type Dangerous = <A extends unknown[], T>(fn: (...args: A) => Promise<T>) => (...args: A) => Promise<T>;

/** An `on(runner)` makes another store of the same class; background mode asks for none. */
function watch(target: object, dangerous: Dangerous, methods: readonly string[] = METHODS): void {
  const named = target as Record<string, (...args: unknown[]) => Promise<unknown>>;
  for (const name of methods) {
    const method = named[name];
    if (!method) continue;
    named[name] = function (this: unknown, ...args) {
      return dangerous(() => method.apply(this, args))();
    };
  }
}

function anyWrite(integer: (below: number) => number, pick: <T>(list: readonly T[]) => T): WriteStep {
  const [row, account, text, open] = [integer(12), integer(2), pick(['a', 'b', 'c', 'd']), integer(4) > 0];
  const kinds = [
    'insert', 'insert', 'edit', 'save-partly', 'update-where', 'hide', 'give-to', 'remove', 'delete-where', 'soft-remove', 'recover',
    'card', 'card', 'remove-card', 'give-card-to', 'profile', 'remove-profile', 'replace-profile',
  ] as const; // prettier-ignore
  return { kind: pick(kinds), row, account, text, open } as WriteStep;
}
