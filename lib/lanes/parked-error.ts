import { AccountInactiveError } from '../errors/account-inactive.error.js';
import { AuthenticationError } from '../errors/authentication.error.js';
import { OAuthSessionInvalidError } from '../errors/oauth-session-invalid.error.js';
import { atUri } from '../model/address.js';
import type { Change } from '../sync/change.js';
import { parkCodeOf, type Park } from '../pending/pending-entry.js';

/**
 * The error that parked a lane, for the caller of changes that the park stops. It names an entity only if
 * there is a single change.
 */
export function parkedError(
  did: string,
  { code, reason }: Park,
  changes: readonly Change[],
): AuthenticationError {
  const errors = [OAuthSessionInvalidError, AccountInactiveError].map((type) => new type(reason, { did }));
  const error = errors.find((one) => parkCodeOf(one) === code) ?? new AuthenticationError(reason, { did });
  const [only] = changes;
  if (!only || changes.length > 1) return error;
  const { entity, entityId, address } = only;
  return error.about({ uri: atUri(address), entityName: entity.name, entityId });
}
