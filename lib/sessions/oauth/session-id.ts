import { createHash } from 'node:crypto';
import type { NodeSavedSession } from '@atproto/oauth-client-node';

/**
 * Names a stored session by the thumbprint (RFC 7638) of its DPoP key, which uses the public part only. The
 * client makes a new key for each sign-in and keeps it over refreshes, so the name tells sessions apart where
 * the tokens cannot.
 */
export function sessionIdOf({ dpopJwk }: Pick<NodeSavedSession, 'dpopJwk'>): string {
  const { crv, kty, x, y, n, e } = dpopJwk as Record<string, unknown>;
  const members = kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y };
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}
