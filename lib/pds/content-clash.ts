import type { RecordWrite } from './write-request.js';

/** What a write puts in place of what; undefined where it is not known what it replaces. */
export interface Replacement {
  readonly action: RecordWrite['action'];
  readonly from: string | null | undefined;
  readonly to: string | null;
}

/**
 * Keeps apart what must not be in one commit. A PDS stores a record's content once for all its keys, and the
 * reference PDS (0.5.35) loses it when one commit takes it from a key and gives it to another, as soon as an update
 * takes part: two records that swap their contents are both gone. A create and a delete are fine with each other.
 */
export class ContentClash {
  private readonly given = new Set<string>();
  private readonly givenByUpdate = new Set<string>();
  private readonly taken = new Set<string | undefined>();
  private readonly takenByUpdate = new Set<string | undefined>();

  /** Whether this write goes with the ones so far; if so it is one of them. */
  admits({ action, from, to }: Replacement): boolean {
    const isUpdate = action === 'update';
    const given = isUpdate ? this.given : this.givenByUpdate;
    const taken = isUpdate ? this.taken : this.takenByUpdate;
    const takes = from !== null && action !== 'create';
    if (to !== null && (taken.has(to) || taken.has(undefined))) return false;
    if (takes && (from === undefined ? given.size > 0 : given.has(from))) return false;
    if (to !== null) this.given.add(to);
    if (to !== null && isUpdate) this.givenByUpdate.add(to);
    if (takes) this.taken.add(from);
    if (takes && isUpdate) this.takenByUpdate.add(from);
    return true;
  }
}
