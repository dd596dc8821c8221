import type { Cache } from 'cache-manager';
import { ParityOptionsError } from '../errors/parity-options.error.js';
import { outlivesProcess, storesOf } from '../runtime/keyv-stores.js';
import { nearestName } from './nearest-name.js';
import { boolean, checkNames, names, oneOf, positive, positiveOrNull, wrong } from './option-checks.js';
import {
  DEFAULT_BACKFILL_SHARE,
  DEFAULT_FUNCTION_TIMEOUT_MS,
  DEFAULT_WRITE_LIMITS,
  type ParityOptions,
  type PdsOptions,
  type PendingSyncCache,
  type PendingSyncOptions,
  type ResolvedOptions,
  type ResolvedPendingSyncOptions,
  type SyncOptions,
  type WriteLimit,
} from './options.js';

/**
 * Every option with its value: given in code, otherwise from the environment, otherwise the default.
 *
 * @throws ParityOptionsError that names the option, what it got, and what it takes
 */
export function resolveOptions(options: ParityOptions, env: NodeJS.ProcessEnv): ResolvedOptions {
  const { sync = {}, pds = {}, pendingSyncs = {} } = options;
  checkNames<SyncOptions>('sync', sync, {
    mode: true,
    deadlineMs: true,
    functionTimeoutMs: true,
    validate: true,
  });
  checkNames<PdsOptions>('pds', pds, { timeoutMs: true, writeLimits: true, backfillShare: true });
  const resolved: ResolvedOptions = {
    sync: {
      mode: oneOf('sync.mode', sync.mode ?? 'inline', ['inline', 'request', 'background']),
      deadlineMs: positive('sync.deadlineMs', sync.deadlineMs ?? 5_000),
      functionTimeoutMs: positive(
        'sync.functionTimeoutMs',
        sync.functionTimeoutMs ?? DEFAULT_FUNCTION_TIMEOUT_MS,
      ),
      validate: sync.validate === undefined ? undefined : boolean('sync.validate', sync.validate),
    },
    pds: {
      timeoutMs: positive('pds.timeoutMs', pds.timeoutMs ?? 15_000),
      writeLimits: writeLimits('pds.writeLimits', pds.writeLimits ?? DEFAULT_WRITE_LIMITS),
      backfillShare: share('pds.backfillShare', pds.backfillShare ?? DEFAULT_BACKFILL_SHARE),
    },
    pendingSyncs: resolvePendingSyncs(pendingSyncs, env),
    onBulkWrite: oneOf('onBulkWrite', options.onBulkWrite ?? 'warn', ['warn', 'throw', 'ignore']),
    dataSources: names('dataSources', options.dataSources ?? ['default']),
  };
  if (resolved.sync.mode === 'background' && !resolved.pendingSyncs.enabled) {
    throw new ParityOptionsError(
      "sync.mode 'background' works off pending syncs, which are not enabled: set pendingSyncs.enabled to true.",
    );
  }
  return resolved;
}

const VARIABLE_PREFIX = 'PARITY_PENDING_SYNCS_';

function resolvePendingSyncs(
  options: PendingSyncOptions,
  env: NodeJS.ProcessEnv,
): ResolvedPendingSyncOptions {
  checkNames<PendingSyncOptions>('pendingSyncs', options, {
    enabled: true,
    storage: true,
    cache: true,
    cacheOutlivesProcess: true,
    ttl: true,
    maxAttempts: true,
    autoRetry: true,
    whenParked: true,
    preparedStatements: true,
  });
  const variables: string[] = [];
  const pick = <T>(
    name: keyof PendingSyncOptions,
    fallback: T,
    read: (label: string, value: unknown) => T,
  ): T => {
    const variable = `${VARIABLE_PREFIX}${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
    variables.push(variable);
    if (options[name] !== undefined) return read(`pendingSyncs.${name}`, options[name]);
    const text = env[variable];
    return text === undefined || text === '' ? fallback : read(variable, fromText(text));
  };
  const storage = pick<'cache' | 'database'>('storage', 'cache', (label, value) =>
    oneOf(label, value, ['cache', 'database']),
  );
  const resolved = {
    enabled: pick('enabled', false, boolean),
    storage,
    cache: cacheOf(options.cache, storage),
    cacheOutlivesProcess: cacheOutlives(options),
    ttl: pick('ttl', storage === 'cache' ? 3_600 : null, positiveOrNull),
    maxAttempts: pick('maxAttempts', 3, positiveOrNull),
    autoRetry: pick('autoRetry', false, boolean),
    whenParked: pick<'throw' | 'keep'>('whenParked', 'throw', (label, value) =>
      oneOf(label, value, ['throw', 'keep']),
    ),
    preparedStatements: pick('preparedStatements', true, boolean),
  };
  checkVariables(env, variables);
  return resolved;
}

function checkVariables(env: NodeJS.ProcessEnv, known: readonly string[]): void {
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith(VARIABLE_PREFIX) || known.includes(variable)) continue;
    const nearest = nearestName(variable, known);
    // Another program may have set it: Kubernetes names the addresses of services like this.
    if (!nearest) continue;
    throw new ParityOptionsError(
      `The environment variable ${variable} is none of nestjs-parity's; did you mean ${nearest}? They are ${known.join(', ')}.`,
    );
  }
}

function cacheOf(value: unknown, storage: 'cache' | 'database'): PendingSyncCache | undefined {
  if (value === undefined) return undefined;
  if (!isKeyv(value) && !isCache(value)) {
    // The value itself is not quoted: the URL of a Redis may hold its password.
    const given =
      value === null ? 'null' : `a ${typeof value === 'object' ? value.constructor?.name : typeof value}`;
    throw new ParityOptionsError(
      `pendingSyncs.cache is ${given}; it takes a Keyv, such as new Keyv({ store: adapter }), or createCache() of cache-manager.`,
    );
  }
  if (storage === 'cache') return value;
  throw new ParityOptionsError(
    "pendingSyncs.cache is given, but pendingSyncs.storage is 'database', which keeps nothing in it: give one of the two.",
  );
}

/** @throws ParityOptionsError if the adapters do not tell, and the option is not given */
function cacheOutlives({ cache, cacheOutlivesProcess: given }: PendingSyncOptions): boolean {
  const asked = given === undefined ? undefined : boolean('pendingSyncs.cacheOutlivesProcess', given);
  if (!cache) return false;
  const stores = storesOf(cache);
  const told = asked ?? outlivesProcess(stores);
  if (told !== undefined) return told;
  const adapters = stores.map(({ store }) => (store as object).constructor?.name ?? 'an adapter').join(', ');
  throw new ParityOptionsError(
    `pendingSyncs.cache is on ${adapters}, which does not tell whether its values outlive the process: give ` +
      'pendingSyncs.cacheOutlivesProcess, true or false.',
  );
}

/**
 * Recognised without its class, of which the application may have another copy. A bare adapter is refused,
 * because it takes only text.
 */
const isKeyv = (value: unknown): value is Exclude<PendingSyncCache, Cache> =>
  has(value, 'store', 'opts') &&
  [value['get'], value['set'], value['delete']].every((one) => typeof one === 'function');

const isCache = (value: unknown): value is Cache =>
  has(value, 'stores') &&
  Array.isArray(value['stores']) &&
  value['stores'].length > 0 &&
  value['stores'].every(isKeyv);

const has = (value: unknown, ...keys: readonly string[]): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && keys.every((name) => name in value);

const WORDS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['null', null],
]);

/** Environment variables are text: true, false, null, numbers, or a word. */
function fromText(text: string): unknown {
  const word = text.trim().toLowerCase();
  if (/^\d+$/.test(word)) return Number(word);
  return WORDS.has(word) ? WORDS.get(word) : text.trim();
}

const share = (name: string, value: unknown): number => {
  if (typeof value === 'number' && value > 0 && value <= 1) return value;
  throw wrong(name, value, 'a number above 0, and at most 1');
};

/** A limit has to allow one create. */
const isLimit = (one: Partial<WriteLimit> | null): boolean =>
  Number.isSafeInteger(one?.points) &&
  Number(one?.points) >= 3 &&
  Number.isFinite(one?.seconds) &&
  Number(one?.seconds) > 0;

const writeLimits = (name: string, value: unknown): readonly WriteLimit[] => {
  if (Array.isArray(value) && value.every(isLimit)) {
    value.forEach((one, index) =>
      checkNames<WriteLimit>(`${name}[${index}]`, one, { points: true, seconds: true }),
    );
    return value as WriteLimit[];
  }
  const accepted = 'a list of { points, seconds }, with 3 points at least (what a create costs), such as ';
  throw wrong(name, value, accepted + JSON.stringify(DEFAULT_WRITE_LIMITS));
};
