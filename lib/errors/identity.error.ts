import { ParityError, type ParityErrorContext } from './parity.error.js';

/**
 * - `unknown`: the directory, or the host of a did:web, knows no such DID.
 * - `deleted`: the directory says that the DID was given up for good.
 * - `unsupported`: no did:plc and no did:web with a host alone.
 * - `invalid-document`: what was found is no DID document of this DID.
 * - `no-pds`, `no-key`: the document names no PDS, or no signing key for AT Protocol.
 * - `refused-address`: the DID or its document names an address that is not reached: a private one, or HTTP.
 * - `unreachable`: there was no answer. The same question may be answered later.
 */
export type IdentityErrorReason =
  | 'unknown'
  | 'deleted'
  | 'unsupported'
  | 'invalid-document'
  | 'no-pds'
  | 'no-key'
  | 'refused-address'
  | 'unreachable';

/** A DID does not lead to an account: to the PDS that has its repository, and the key that signs it. */
export class IdentityError extends ParityError {
  readonly code = 'IDENTITY';

  constructor(
    message: string,
    readonly reason: IdentityErrorReason,
    context: ParityErrorContext = {},
  ) {
    super(message, context);
  }
}
