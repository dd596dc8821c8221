import { atUri, type Address } from '../model/address.js';
import { isInDoubt } from '../pds/repository-state.store.js';
import type { Change } from './change.js';
import { failedOutcome, type Outcome } from './outcome.js';
import { SyncPass, type SyncPassOptions } from './sync-pass.js';
import type { SyncRun } from './sync-run.js';
import { resolveAgain, UNRESOLVED_DID } from './unresolved.js';

/** How often an address is decided again at once because its row changed during the write. */
const MAX_PASSES = 5;

/**
 * Brings the addresses of one DID to what they should be now. It replays no operations but asks which entity
 * claims an address. So ten edits make one write, and an entity that changed meanwhile is seen as it is now.
 * The caller makes sure that only one run per DID is under way.
 */
export class SyncEngine {
  constructor(private readonly options: SyncPassOptions) {}

  /** Whether a request with an unknown outcome may have changed an address, or still may. */
  async isInDoubt(address: Address): Promise<boolean> {
    return isInDoubt(await this.options.state.load(address.did), atUri(address));
  }

  /**
   * Never throws.
   *
   * @returns one outcome per change, in their order; failures are outcomes too
   */
  async run(did: string, changes: readonly Change[], run: SyncRun = {}): Promise<Outcome[]> {
    if (did === UNRESOLVED_DID) return resolveAgain(changes, run);
    const pass = new SyncPass(did, this.options, run);
    let open = changes;
    for (let count = 1; open.length > 0 && count <= MAX_PASSES; count++) open = await pass.over(open);
    return changes.map(
      (change) =>
        pass.outcomes.get(change) ??
        failedOutcome(change, new Error('The entity kept changing while its record was written.'), undefined),
    );
  }
}
