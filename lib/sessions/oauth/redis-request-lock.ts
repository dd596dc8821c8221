import type { RuntimeLock } from '@atproto/oauth-client-node';
import { checkNames } from '../../model/option-checks.js';
import { leaseLock, type LeaseLockOptions } from './lease-lock.js';

/**
 * The part of a Redis client that is used here: node-redis (`redis`, `@redis/client`, the `client` of a
 * `@keyv/redis` store) has it.
 */
export interface RedisLockClient {
  set(key: string, value: string, options: { NX: true; PX: number }): Promise<unknown>;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

export interface RedisRequestLockOptions extends LeaseLockOptions {
  /** In front of the lock's name. Default: `parity:oauth:lock:`. */
  readonly prefix?: string;
}

/** Compares the token first: another process may have the lease by now. */
const RELEASE =
  "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";

/**
 * `oauth.requestLock` for several processes that share one Redis: `requestLock: redisRequestLock(client)`.
 * The client has to be connected.
 *
 * A failover to a replica that has not yet received a lease gives it out twice. Keep the sessions of a Redis
 * that may lose writes in the database instead, with its lock.
 *
 * @throws ParityOptionsError for a name that no option has
 */
export function redisRequestLock(
  client: RedisLockClient,
  options: RedisRequestLockOptions = {},
): RuntimeLock {
  checkNames<RedisRequestLockOptions>('redisRequestLock()', options, {
    prefix: true,
    ttlMs: true,
    waitMs: true,
  });
  const { prefix = 'parity:oauth:lock:', ...timing } = options;
  return leaseLock(
    {
      tryAcquire: async (name, token, ttlMs) =>
        (await client.set(prefix + name, token, { NX: true, PX: ttlMs })) !== null,
      release: async (name, token) => {
        await client.eval(RELEASE, { keys: [prefix + name], arguments: [token] });
      },
    },
    timing,
  );
}
