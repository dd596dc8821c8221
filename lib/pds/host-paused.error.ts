import { PdsUnavailableError } from '../errors/pds-unavailable.error.js';

/** Nothing was sent: the PDS host has failed too often, or asked this process to wait. */
export class HostPausedError extends PdsUnavailableError {
  constructor(
    did: string,
    host: string,
    readonly retryAt: Date,
  ) {
    super(`Nothing is sent to the PDS ${host} before ${retryAt.toISOString()}: it does not answer well.`, {
      did,
    });
  }
}
