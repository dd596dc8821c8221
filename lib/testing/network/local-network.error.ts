import { ParityError } from '../../errors/parity.error.js';

/** The local network could not be started, has died, or one of its servers refused a helper's request. */
export class LocalNetworkError extends ParityError {
  readonly code = 'LOCAL_NETWORK';
}
