import type { RecordJson } from '../model/evidence.js';

/** A conflict has ended; the side that lost is only in this event. */
export class ConflictResolved {
  static readonly event = 'parity.conflict.resolved';
  readonly origin = 'network';

  constructor(
    readonly did: string,
    readonly uri: string,
    readonly entityName: string,
    readonly entityId: string,
    readonly resolution: 'local' | 'remote' | 'merged' | 'dismissed',
    /** As this application would have published it; null for a deletion, undefined where it is not known. */
    readonly local: RecordJson | null | undefined,
    /** As it was in the repository; null for a deletion. */
    readonly remote: RecordJson | null,
    readonly live: boolean,
  ) {}
}
