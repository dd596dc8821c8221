import { ParityOptionsError } from '../../errors/parity-options.error.js';
import type { SessionLogger } from '../session-logger.js';
import type { OAuthOptions } from './oauth-options.js';

/**
 * Checks what works in development and not in production: where `NODE_ENV` is 'production', it warns.
 *
 * @param stores the stores in use, defaults included
 * @param requestLock as given; an application that names the lock within one process has decided so
 * @throws ParityOptionsError if durable sessions are required and these are not durable
 */
export function checkForProduction(
  stores: Pick<OAuthOptions, 'stateStore' | 'sessionStore'>,
  { requestLock, requireDurableSessions = false, allowHttp = false }: OAuthOptions,
  logger: SessionLogger,
): void {
  const problem = problemOf(stores, requestLock);
  if (problem !== null && requireDurableSessions) {
    throw new ParityOptionsError(`oauth.requireDurableSessions is true. ${problem}`);
  }
  if (process.env['NODE_ENV'] !== 'production') return;
  if (problem !== null) logger.warn(problem);
  if (allowHttp) {
    logger.warn(
      'oauth.allowHttp is true: any visitor can make this server send requests to addresses of its own network. It is for development.',
    );
  }
}

function problemOf(
  { stateStore, sessionStore }: Pick<OAuthOptions, 'stateStore' | 'sessionStore'>,
  requestLock: OAuthOptions['requestLock'],
): string | null {
  if (stateStore?.volatile || sessionStore?.volatile) {
    return (
      'OAuth sessions are kept in memory: all users are signed out when this process ends, and other processes do ' +
      "not see them. Give oauth.storage (kind 'database'), or oauth.stateStore and oauth.sessionStore, for production."
    );
  }
  if (requestLock) return null;
  return (
    'OAuth sessions are refreshed under a lock within this process, while other processes may share the store: two that refresh ' +
    'one session at the same time end it. Give oauth.requestLock (redisRequestLock(client), or that of databaseOAuthStores()); ' +
    'for an application of one process, requestLocalLock of @atproto/oauth-client-node.'
  );
}
