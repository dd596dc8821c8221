import type { RecordJson } from '../model/evidence.js';

/**
 * A record was changed elsewhere, and nothing follows from that yet: the conflict has to be resolved by hand,
 * or the class does not follow its records.
 */
export class ConflictDetected {
  static readonly event = 'parity.conflict.detected';
  readonly origin = 'network';

  constructor(
    readonly did: string,
    readonly uri: string,
    readonly entityName: string,
    readonly entityId: string,
    /** As this application would publish it; null for a deletion, undefined where it is not known. */
    readonly local: RecordJson | null | undefined,
    /** As it is in the repository; null for a deletion. */
    readonly remote: RecordJson | null,
    readonly live: boolean,
  ) {}
}
