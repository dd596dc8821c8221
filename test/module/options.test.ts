import KeyvRedis, { Keyv } from '@keyv/redis';
import { Module, type ModuleMetadata } from '@nestjs/common';
import { createCache } from 'cache-manager';
import { KeyvFile } from 'keyv-file';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ParityModule, ParityOptionsError, type ParityOptions } from 'nestjs-parity';
import { resolveOptions } from '../../lib/model/resolve-options.js';
import { Applications, NoSessions } from '../support/applications.js';
import { NoteMapper } from '../support/entities/note.js';

const refusal = (options: unknown, env: NodeJS.ProcessEnv = {}): string => {
  try {
    resolveOptions(options as ParityOptions, env);
  } catch (error) {
    expect(error).toBeInstanceOf(ParityOptionsError);
    return (error as Error).message;
  }
  throw new Error('it was accepted');
};
const pendingSyncs = (options: ParityOptions['pendingSyncs'], env: NodeJS.ProcessEnv) =>
  resolveOptions({ ...(options && { pendingSyncs: options }) }, env).pendingSyncs;

/** An adapter that is no Map, as LRU caches are, and those of servers. */
const anAdapter = (opts?: object) => ({
  ...(opts && { opts }),
  get: () => undefined,
  set: () => true,
  delete: () => true,
  clear: () => undefined,
});

describe('options', () => {
  it('have the defaults of the documentation', () => {
    expect(resolveOptions({}, {})).toEqual({
      sync: { mode: 'inline', deadlineMs: 5_000, functionTimeoutMs: 10_000, validate: undefined },
      pds: {
        timeoutMs: 15_000,
        writeLimits: [
          { points: 5_000, seconds: 3_600 },
          { points: 35_000, seconds: 86_400 },
        ],
        backfillShare: 0.8,
      },
      pendingSyncs: {
        enabled: false,
        storage: 'cache',
        cacheOutlivesProcess: false,
        ttl: 3_600,
        maxAttempts: 3,
        autoRetry: false,
        whenParked: 'throw',
        preparedStatements: true,
      },
      onBulkWrite: 'warn',
      dataSources: ['default'],
    });
    expect(pendingSyncs({ storage: 'database' }, {}).ttl).toBeNull();
  });

  it.each([
    ['PARITY_PENDING_SYNCS_ENABLED', 'true', { enabled: true }],
    ['PARITY_PENDING_SYNCS_ENABLED', ' 1 ', { enabled: true }],
    ['PARITY_PENDING_SYNCS_ENABLED', 'FALSE', { enabled: false }],
    ['PARITY_PENDING_SYNCS_STORAGE', 'database', { storage: 'database', ttl: null }],
    ['PARITY_PENDING_SYNCS_TTL', '60', { ttl: 60 }],
    ['PARITY_PENDING_SYNCS_TTL', 'null', { ttl: null }],
    ['PARITY_PENDING_SYNCS_MAX_ATTEMPTS', '7', { maxAttempts: 7 }],
    ['PARITY_PENDING_SYNCS_MAX_ATTEMPTS', 'null', { maxAttempts: null }],
    ['PARITY_PENDING_SYNCS_AUTO_RETRY', '1', { autoRetry: true }],
    ['PARITY_PENDING_SYNCS_AUTO_RETRY', '', { autoRetry: false }],
    ['PARITY_PENDING_SYNCS_WHEN_PARKED', 'keep', { whenParked: 'keep' }],
    ['PARITY_PENDING_SYNCS_PREPARED_STATEMENTS', 'false', { preparedStatements: false }],
  ])('%s=%p wins over the default', (variable, value, expected) => {
    expect(pendingSyncs(undefined, { [variable]: value })).toMatchObject(expected);
  });

  it('that are given in code win over the environment, null and false included', () => {
    const env = {
      PARITY_PENDING_SYNCS_ENABLED: 'true',
      PARITY_PENDING_SYNCS_STORAGE: 'nonsense',
      PARITY_PENDING_SYNCS_TTL: '60',
      PARITY_PENDING_SYNCS_MAX_ATTEMPTS: '7',
      PARITY_PENDING_SYNCS_AUTO_RETRY: 'true',
      PARITY_PENDING_SYNCS_WHEN_PARKED: 'keep',
      PARITY_PENDING_SYNCS_PREPARED_STATEMENTS: 'false',
    };
    const given = {
      enabled: false,
      storage: 'cache',
      ttl: null,
      maxAttempts: 1,
      autoRetry: false,
      whenParked: 'throw',
      preparedStatements: true,
    } as const;
    expect(pendingSyncs(given, env)).toEqual({ ...given, cacheOutlivesProcess: false });
  });

  it('take no write limits at all, and all of them for a backfill', () => {
    const pds = { writeLimits: [], backfillShare: 1 };
    expect(resolveOptions({ pds }, {}).pds).toEqual({ timeoutMs: 15_000, ...pds });
    const own = [{ points: 3, seconds: 0.5 }];
    expect(resolveOptions({ pds: { writeLimits: own } }, {}).pds.writeLimits).toEqual(own);
  });

  it.each([
    ['a cache of cache-manager', createCache()],
    ['a Keyv', new Keyv()],
  ])('take %s for pending syncs', (_what, cache) => {
    expect(resolveOptions({ pendingSyncs: { cache } }, {}).pendingSyncs.cache).toBe(cache);
    expect(refusal({ pendingSyncs: { cache, storage: 'database' } })).toContain('give one of the two');
    const env = { PARITY_PENDING_SYNCS_STORAGE: 'database' };
    expect(() => pendingSyncs({ cache }, env)).toThrow("pendingSyncs.storage is 'database'");
  });

  it.each([
    ['a cache in memory', createCache(), false],
    ['a Keyv in memory', new Keyv(), false],
    [
      'SQLite in memory',
      new Keyv({ store: anAdapter({ dialect: 'sqlite', uri: 'sqlite://:memory:' }) }),
      false,
    ],
    ['Redis', new Keyv(new KeyvRedis('redis://localhost:1')), true],
    [
      'Redis behind memory',
      createCache({ stores: [new Keyv(), new Keyv(new KeyvRedis('redis://localhost:1'))] }),
      true,
    ],
    [
      'Redis behind an LRU',
      createCache({
        stores: [new Keyv({ store: anAdapter() }), new Keyv(new KeyvRedis('redis://localhost:1'))],
      }),
      true,
    ],
    ['a file', new Keyv({ store: new KeyvFile({ filename: join(tmpdir(), 'parity-options.json') }) }), true],
    ['MongoDB', new Keyv({ store: anAdapter({ url: 'mongodb://localhost:1' }) }), true],
  ])('tell of %s whether it outlives the process', (_what, cache, expected) => {
    expect(pendingSyncs({ cache }, {}).cacheOutlivesProcess).toBe(expected);
    expect(pendingSyncs({ cache, cacheOutlivesProcess: !expected }, {}).cacheOutlivesProcess).toBe(!expected);
  });

  it.each([
    ['an LRU', new Keyv({ store: anAdapter() })],
    ['an LRU with options', new Keyv({ store: anAdapter({ ttl: 0, lruSize: 10 }) })],
    ['an LRU behind memory', createCache({ stores: [new Keyv(), new Keyv({ store: anAdapter() })] })],
  ])('ask of %s whether it outlives the process', (_what, cache) => {
    const message =
      'does not tell whether its values outlive the process: give pendingSyncs.cacheOutlivesProcess';
    expect(refusal({ pendingSyncs: { cache } })).toContain(message);
    for (const cacheOutlivesProcess of [true, false])
      expect(pendingSyncs({ cache, cacheOutlivesProcess }, {})).toMatchObject({ cacheOutlivesProcess });
  });

  it('take no cache in memory for one that outlives the process', () => {
    expect(pendingSyncs({ cacheOutlivesProcess: true }, {}).cacheOutlivesProcess).toBe(false);
  });

  it.each([
    ['an adapter alone', new KeyvRedis('redis://localhost:1'), 'is a KeyvRedis; it takes a Keyv'],
    ['a Map', new Map(), 'is a Map; it takes a Keyv'],
    ['a cache without stores', { stores: [] }, 'is a Object; it takes a Keyv'],
    ['a URL', 'redis://:secret@localhost', 'is a string; it takes a Keyv'],
    ['null', null, 'is null; it takes a Keyv'],
  ])('refuse %s as a cache', (_what, cache, message) => {
    expect(refusal({ pendingSyncs: { cache } })).toContain(`pendingSyncs.cache ${message}`);
  });

  it.each([
    ['sync.mode', { sync: { mode: 'later' } }, "is 'later'; it takes 'inline'"],
    ['sync.deadlineMs', { sync: { deadlineMs: -1 } }, 'is -1; it takes a whole number above 0'],
    ['sync.deadlineMs', { sync: { deadlineMs: '5s' } }, "is '5s'; it takes a whole number above 0"],
    ['sync.validate', { sync: { validate: 'yes' } }, "is 'yes'; it takes true or false"],
    ['pds.timeoutMs', { pds: { timeoutMs: NaN } }, 'is NaN; it takes a whole number above 0'],
    ['pds.writeLimits', { pds: { writeLimits: 5_000 } }, 'is 5000; it takes a list of { points, seconds }'],
    [
      'pds.writeLimits',
      { pds: { writeLimits: [null] } },
      'is [null]; it takes a list of { points, seconds }',
    ],
    ['pds.writeLimits', { pds: { writeLimits: [{ points: 2, seconds: 60 }] } }, 'with 3 points at least'],
    ['pds.writeLimits', { pds: { writeLimits: [{ points: 9.5, seconds: 60 }] } }, 'is [{"points":9.5,'],
    ['pds.writeLimits', { pds: { writeLimits: [{ points: 9, seconds: 0 }] } }, 'such as [{"points":5000,'],
    ['pds.writeLimits', { pds: { writeLimits: [{ points: 9 }] } }, 'is [{"points":9}]; it takes a list'],
    ['pds.backfillShare', { pds: { backfillShare: 0 } }, 'is 0; it takes a number above 0, and at most 1'],
    ['pds.backfillShare', { pds: { backfillShare: 80 } }, 'is 80; it takes a number above 0, and at most 1'],
    ['pds.backfillShare', { pds: { backfillShare: NaN } }, 'is NaN; it takes a number above 0'],
    ['pds.backfillShare', { pds: { backfillShare: '80%' } }, "is '80%'; it takes a number above 0"],
    ['onBulkWrite', { onBulkWrite: 'log' }, "is 'log'; it takes 'warn' or 'throw' or 'ignore'"],
    ['dataSources', { dataSources: 'archive' }, "is 'archive'; it takes an array of names"],
    ['dataSources', { dataSources: [] }, 'is []; it takes an array of names'],
    ['pendingSyncs.enabled', { pendingSyncs: { enabled: 'on' } }, "is 'on'; it takes true or false"],
    [
      'pendingSyncs.cacheOutlivesProcess',
      { pendingSyncs: { cacheOutlivesProcess: 'yes' } },
      'it takes true or false',
    ],
    ['pendingSyncs.storage', { pendingSyncs: { storage: 'redis' } }, "it takes 'cache' or 'database'"],
    ['pendingSyncs.ttl', { pendingSyncs: { ttl: 0 } }, 'is 0; it takes a whole number above 0, or null'],
    ['pendingSyncs.maxAttempts', { pendingSyncs: { maxAttempts: 1.5 } }, 'is 1.5; it takes a whole number'],
    ['pendingSyncs.autoRetry', { pendingSyncs: { autoRetry: null } }, 'is null; it takes true or false'],
  ])('name %s with what it got and what it takes: %j', (name, options, message) => {
    expect(refusal(options)).toMatch(new RegExp(`^${name.replace('.', '\\.')} is `));
    expect(refusal(options)).toContain(message);
  });

  it.each([
    ['PARITY_PENDING_SYNCS_ENABLED', 'yes', 'true or false'],
    ['PARITY_PENDING_SYNCS_ENABLED', 'constructor', 'true or false'],
    ['PARITY_PENDING_SYNCS_STORAGE', 'Redis', "'cache' or 'database'"],
    ['PARITY_PENDING_SYNCS_TTL', '1h', 'a whole number above 0, or null'],
    ['PARITY_PENDING_SYNCS_TTL', '-1', 'a whole number above 0, or null'],
    ['PARITY_PENDING_SYNCS_MAX_ATTEMPTS', '2.5', 'a whole number above 0, or null'],
    ['PARITY_PENDING_SYNCS_AUTO_RETRY', '2', 'true or false'],
  ])('name the variable %s=%s', (variable, value, accepted) => {
    expect(refusal({}, { [variable]: value })).toMatch(
      new RegExp(`^${variable} is '?${value}'?; it takes ${accepted}\\.$`),
    );
  });
});

describe('the environment', () => {
  const apps = new Applications();
  const variable = 'PARITY_PENDING_SYNCS_TTL';
  afterEach(() => delete process.env[variable]);

  /** Like ConfigModule, which fills the environment when the application is put together. */
  function configModule(value: string): NonNullable<ModuleMetadata['imports']>[number] {
    @Module({})
    class LateConfigModule {}
    const useFactory = async () => void (process.env[variable] = value);
    return {
      module: LateConfigModule,
      global: true,
      providers: [{ provide: 'CONFIG', useFactory }],
      exports: ['CONFIG'],
    };
  }

  it('is read when the module is instantiated, not when it is imported', async () => {
    const parity = ParityModule.forRoot({ sessions: NoSessions, mappers: [NoteMapper] });
    process.env[variable] = 'soon';
    await expect(apps.start({ parity: [parity] })).rejects.toThrow(`${variable} is 'soon'`);
  });

  it('is read after what forRootAsync injects, which may set it', async () => {
    const parity = ParityModule.forRootAsync({
      inject: ['CONFIG'],
      useFactory: () => ({ sessions: NoSessions }),
      mappers: [NoteMapper],
    });
    await expect(apps.start({ parity: [configModule('never'), parity] })).rejects.toThrow(
      `${variable} is 'never'`,
    );
  });
});
