import { buildAtprotoLoopbackClientMetadata } from '@atproto/oauth-client-node';
import { Module } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { DataSource } from 'typeorm';
import {
  AppPasswordSessionProvider,
  AtpOAuthService,
  AutoSyncsWithAtp,
  CacheOAuthSessionStore,
  CacheOAuthStateStore,
  databaseOAuthStores,
  encryptedStores,
  HasAtpRecord,
  ParityModule,
  ParityOptionsError,
  ParityService,
  PublishesRecords,
  redisRequestLock,
  type RedisLockClient,
} from 'nestjs-parity';
import { nearestName } from '../../lib/model/nearest-name.js';
import { resolveOptions } from '../../lib/model/resolve-options.js';
import { Applications, NoSessions } from '../support/applications.js';
import { Note, NoteMapper } from '../support/entities/note.js';
import { recordedEvents } from '../sessions/fixtures.js';

const apps = new Applications();
const sessions = NoSessions;

const caught = (fn: () => unknown): unknown => {
  try {
    return fn();
  } catch (error) {
    return error;
  }
};

/** What `forRoot` or the start of the application says. */
async function refusal(options: object): Promise<string> {
  const error = await Promise.resolve()
    .then(() =>
      apps.start({ parity: [ParityModule.forRoot({ sessions, mappers: [NoteMapper], ...options })] }),
    )
    .catch((refused: unknown) => refused);
  expect(error).toBeInstanceOf(ParityOptionsError);
  return (error as Error).message;
}

describe('a misspelled option of forRoot is refused with the nearest name:', () => {
  it.each([
    [{ synch: { mode: 'inline' } }, "'synch' is no option of ParityModule.forRoot(); did you mean 'sync'?"],
    [{ pendingSync: {} }, "did you mean 'pendingSyncs'?"],
    [{ mapper: [] }, "did you mean 'mappers'?"],
    [{ dataSource: ['default'] }, "did you mean 'dataSources'?"],
    [{ onbulkwrite: 'warn' }, "did you mean 'onBulkWrite'?"],
    [{ sync: { deadline: 5 } }, "'deadline' is no option of sync; did you mean 'deadlineMs'?"],
    [{ pds: { timeoutMS: 5 } }, "'timeoutMS' is no option of pds; did you mean 'timeoutMs'?"],
    [
      { pds: { writeLimits: [{ points: 3, seconds: 1, second: 1 }] } },
      "'second' is no option of pds.writeLimits[0]; did you mean 'seconds'?",
    ],
    [
      { pendingSyncs: { enabled: true, autoretry: true } },
      "'autoretry' is no option of pendingSyncs; did you mean 'autoRetry'?",
    ],
    [{ pendingSyncs: { max_attempts: 1 } }, "did you mean 'maxAttempts'?"],
    [{ pendingSyncs: { stroage: 'database' } }, "did you mean 'storage'?"],
    [{ http: { singInUrl: '/login' } }, "'singInUrl' is no option of http; did you mean 'signInUrl'?"],
    [
      { sessions: undefined, oauth: { clientMetaData: {} } },
      "'clientMetaData' is no option of oauth; did you mean 'clientMetadata'?",
    ],
    [
      { sessions: undefined, oauth: { storage: { kind: 'database', encryptionKey: [] } } },
      "'encryptionKey' is no option of oauth.storage; did you mean 'encryptionKeys'?",
    ],
  ])('%j', async (options, message) => {
    expect(await refusal(options)).toContain(message);
  });

  it('and one that is like none with the names that there are', async () => {
    expect(await refusal({ pendingSyncs: { retries: 3 } })).toBe(
      "'retries' is no option of pendingSyncs. pendingSyncs takes enabled, storage, cache, cacheOutlivesProcess, ttl, maxAttempts, autoRetry, whenParked, preparedStatements.",
    );
  });
});

describe('what is no object of options is refused:', () => {
  it.each([
    [{ pendingSyncs: true }, 'pendingSyncs is true; it takes an object with options (enabled, storage,'],
    [{ pendingSyncs: null }, 'pendingSyncs is null; it takes an object'],
    [{ sync: 'background' }, "sync is 'background'; it takes an object with options (mode,"],
    [{ pds: [] }, 'pds is []; it takes an object'],
    [{ http: '/login' }, "http is '/login'; it takes an object with options (respond, signInUrl)"],
    [{ sessions: undefined, oauth: true }, 'oauth is true; it takes an object'],
    [{ sessions: undefined, oauth: { storage: 'database' } }, "oauth.storage is 'database'; it takes"],
    [{ dataSources: 'archive' }, "dataSources is 'archive'; it takes an array of names"],
    [{ mappers: NoteMapper }, 'mappers is the function NoteMapper; it takes a list of mapper classes'],
    [{ mappers: [new NoteMapper()] }, 'it takes a list of mapper classes, such as [PostMapper]'],
  ])('%j', async (options, message) => {
    expect(await refusal(options)).toContain(message);
  });
});

it.each([
  ['PARITY_PENDING_SYNCS_AUTORETRY', 'did you mean PARITY_PENDING_SYNCS_AUTO_RETRY?'],
  ['PARITY_PENDING_SYNCS_STORE_AGE', 'They are PARITY_PENDING_SYNCS_STORAGE, '],
])('the misspelled variable %s is refused', (variable, message) => {
  expect(() => resolveOptions({}, { [variable]: 'true', PATH: '/bin' })).toThrow(
    `The environment variable ${variable} is none of nestjs-parity's`,
  );
  expect(() => resolveOptions({}, { [variable]: 'true' })).toThrow(message);
});

it("a variable that is like none of them is somebody else's", () => {
  const service = {
    PARITY_PENDING_SYNCS_SERVICE_HOST: '10.0.0.1',
    PARITY_PENDING_SYNCS_PORT: 'tcp://10.0.0.1:80',
  };
  expect(resolveOptions({}, service)).toEqual(resolveOptions({}, {}));
});

describe('forRoot and forRootAsync say what they lack:', () => {
  const forRoot = (options?: unknown) => () => ParityModule.forRoot(options as never);
  const forRootAsync = (options?: unknown) => () => ParityModule.forRootAsync(options as never);

  it.each([
    [
      'forRoot()',
      forRoot(),
      /^ParityModule\.forRoot\(\) got no options\. Give it at least .*oauth.*sessions/,
    ],
    ['forRoot(null)', forRoot(null), /forRoot\(\) got null/],
    ["forRoot('default')", forRoot('default'), /forRoot\(\) got default/],
    ['forRootAsync()', forRootAsync(), /give it useFactory, useClass or useExisting/],
    ['forRootAsync({})', forRootAsync({ inject: [] }), /give it useFactory, useClass or useExisting/],
    [
      'forRootAsync({ useFactory, injects })',
      forRootAsync({ useFactory: () => ({ sessions }), injects: [] }),
      /'injects' is no option of ParityModule\.forRootAsync\(\); did you mean 'inject'\?/,
    ],
    [
      'forRootAsync({ useFactory, pendingSyncs })',
      forRootAsync({ useFactory: () => ({ sessions }), pendingSyncs: { enabled: true } }),
      /'pendingSyncs' is no option of ParityModule\.forRootAsync\(\)/,
    ],
    [
      'forFeature(mapper)',
      () => ParityModule.forFeature(NoteMapper as never),
      /forFeature\(\) got is the function NoteMapper; it takes a list/,
    ],
    [
      'forFeature([], { import })',
      () => ParityModule.forFeature([], { import: [] } as never),
      /did you mean 'imports'\?/,
    ],
  ])('%s', (_call, call, message) => {
    const error = caught(call);
    expect(error).toBeInstanceOf(ParityOptionsError);
    expect((error as Error).message).toMatch(message);
  });

  it.each([
    [undefined, /The factory of ParityModule\.forRootAsync\(\) gave no options: return/],
    [{ sessions, pendingSyncs: { ebabled: true } }, /'ebabled' .* did you mean 'enabled'\?/],
    [{ sessions, synch: {} }, /'synch' is no option of ParityModule; did you mean 'sync'\?/],
    [{ sessions, mappers: [NoteMapper] }, /gave mappers, .*name them beside useFactory/],
  ])('a factory that gives %j', async (options, message) => {
    const parity = ParityModule.forRootAsync({ useFactory: () => options as never, mappers: [NoteMapper] });
    await expect(apps.start({ parity: [parity] })).rejects.toThrow(message);
  });
});

describe('ParityModule without forRoot', () => {
  it('alone is refused with what to import', async () => {
    await expect(apps.start({ parity: [ParityModule], providers: [NoteMapper] })).rejects.toThrow(
      /ParityModule is imported without options.*import ParityModule\.forRoot\(\{ … \}\).*in the root module/,
    );
  });

  it('adds nothing where a feature module imports it beside the root', async () => {
    @Module({ imports: [ParityModule] })
    class FeatureModule {}
    const root = ParityModule.forRoot({ sessions, mappers: [NoteMapper] });
    for (const parity of [
      [FeatureModule, root],
      [root, FeatureModule],
    ]) {
      const app = await apps.start({ parity });
      const note = await app.get(DataSource).getRepository(Note).save({ text: 'hello' });
      expect(await app.get(ParityService).toRecord(Object.assign(new Note(), note))).toMatchObject({
        text: 'hello',
      });
      await apps.stopAll();
    }
  });
});

describe('the options of a decorator are checked', () => {
  const on = (decorator: (target: never) => void) => () => decorator(class Memo {} as never);

  it.each([
    [
      on(AutoSyncsWithAtp({ whenNotEligable: 'unpublish' } as object)),
      "'whenNotEligable' is no option of @AutoSyncsWithAtp() of Memo; did you mean 'whenNotEligible'?",
    ],
    [on(AutoSyncsWithAtp({ shouldAutosync: () => false } as object)), "did you mean 'shouldAutoSync'?"],
    [
      on(PublishesRecords({ shouldAutoSync: () => false } as object)),
      "'shouldAutoSync' is no option of @PublishesRecords() of Memo.",
    ],
    [on(HasAtpRecord({ nane: 'memo' } as object)), "did you mean 'name'?"],
    [
      on(AutoSyncsWithAtp({ whenNotEligible: 'unpublsh' } as never)),
      "whenNotEligible in @AutoSyncsWithAtp() of Memo is 'unpublsh'; it takes 'keep' or 'unpublish'.",
    ],
    [on(AutoSyncsWithAtp({ onConflict: 'ignore' } as never)), "it takes 'overwrite' or 'fail'"],
    [on(AutoSyncsWithAtp({ followOwner: 'yes' } as never)), "is 'yes'; it takes true or false"],
    [on(AutoSyncsWithAtp({ shouldAutoSync: false } as never)), 'is false; it takes a function'],
    [on(AutoSyncsWithAtp({ name: '' })), "is ''; it takes a name"],
    [on(AutoSyncsWithAtp('memo' as never)), "@AutoSyncsWithAtp() of Memo is 'memo'; it takes an object"],
  ])('%#', (decorated, message) => {
    const error = caught(decorated);
    expect(error).toBeInstanceOf(ParityOptionsError);
    expect((error as Error).message).toContain(message);
  });
});

it.each([
  [{ dryrun: true }, "'dryrun' is no option of reconcile(); did you mean 'dryRun'?"],
  [{ dryRun: 'yes' }, "dryRun of reconcile() is 'yes'; it takes true or false"],
  [{ pageSize: 0 }, 'pageSize of reconcile() is 0; it takes a whole number above 0'],
  [{ onProgress: true }, 'onProgress of reconcile() is true; it takes a function'],
])('reconcile() refuses the options %j, and does nothing', async (options, message) => {
  const app = await apps.start({ parity: [ParityModule.forRoot({ sessions, mappers: [NoteMapper] })] });
  await expect(app.get(ParityService).reconcile(Note, options as object)).rejects.toThrow(message);
});

it('deadLetters.list() refuses a misspelled option', async () => {
  const app = await apps.start({ parity: [ParityModule.forRoot({ sessions, mappers: [NoteMapper] })] });
  await expect(app.get(ParityService).deadLetters.list({ limits: 1 } as object)).rejects.toThrow(
    "'limits' is no option of deadLetters.list(); did you mean 'limit'?",
  );
});

describe('what is made without the module checks its options:', () => {
  const credentials = async () => null;
  const [encryptionKeys, secret] = [[randomBytes(32).toString('base64')], 'a key or a password'];
  const stores = { stateStore: new CacheOAuthStateStore(), sessionStore: new CacheOAuthSessionStore() };
  const noSource = (): never => {
    throw new Error('it is not asked for');
  };
  const client: RedisLockClient = { set: async () => null, eval: async () => null };

  it.each([
    [
      () => new AppPasswordSessionProvider({ credentials, rememberRefusals: 5 } as never),
      "'rememberRefusals' is no option of AppPasswordSessionProvider; did you mean 'rememberRefusal'?",
    ],
    [() => new AppPasswordSessionProvider({ credentials, event: {} } as never), "did you mean 'events'?"],
    [
      () => new AppPasswordSessionProvider(secret as never),
      'AppPasswordSessionProvider takes an object with options (service,',
    ],
    [
      () => new AtpOAuthService({ clientMetadata: {}, sesionStore: stores.sessionStore } as never),
      "'sesionStore' is no option of AtpOAuthService; did you mean 'sessionStore'?",
    ],
    [
      () => databaseOAuthStores(noSource, { encryptionKeys, acceptPlainText: true } as never),
      "'acceptPlainText' is no option of databaseOAuthStores(); did you mean 'acceptPlaintext'?",
    ],
    [() => databaseOAuthStores(noSource, { encryptionKeys, pool: 5 } as never), "'pool' is no option of"],
    [() => databaseOAuthStores(noSource, secret as never), 'databaseOAuthStores() takes an object'],
    [() => databaseOAuthStores(noSource, [secret] as never), 'databaseOAuthStores() takes an object'],
    [
      () => encryptedStores({ ...stores, encryptionKeys, acceptPlainText: true } as never),
      "'acceptPlainText' is no option of encryptedStores(); did you mean 'acceptPlaintext'?",
    ],
    [() => encryptedStores(secret as never), 'encryptedStores() takes an object'],
    [
      () => redisRequestLock(client, { ttlms: 5 } as never),
      "'ttlms' is no option of redisRequestLock(); did you mean 'ttlMs'?",
    ],
  ])('%#', (make, message) => {
    const error = caught(make);
    expect(error).toBeInstanceOf(ParityOptionsError);
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).not.toContain(secret);
  });

  it('authorize() refuses a misspelled option', async () => {
    const oauth = new AtpOAuthService({
      clientMetadata: buildAtprotoLoopbackClientMetadata({ scope: 'atproto' }),
      events: recordedEvents().events,
    });
    await expect(oauth.authorize('alice.test', { returnto: '/' } as object)).rejects.toThrow(
      "'returnto' is no option of authorize(); did you mean 'returnTo'?",
    );
    await expect(oauth.authorize('alice.test', { biding: 'x' } as object)).rejects.toThrow(
      "did you mean 'binding'?",
    );
  });
});

it.each([
  ['autoretry', 'autoRetry'],
  ['AUTO_RETRY', 'autoRetry'],
  ['atuoRetry', 'autoRetry'],
  ['auoRetrs', 'autoRetry'],
  ['retry', undefined],
  ['tll', 'ttl'],
  ['tool', undefined],
  ['', undefined],
])('the nearest name to %j is %j', (given, nearest) => {
  expect(nearestName(given, ['enabled', 'storage', 'ttl', 'maxAttempts', 'autoRetry'])).toBe(nearest);
});
