import { ParityError } from '../../errors/parity.error.js';

/** The local network could not be started, has died, or one of its servers refused what a helper asked of it. */
export class LocalNetworkError extends ParityError {
  readonly code = 'LOCAL_NETWORK';
}
