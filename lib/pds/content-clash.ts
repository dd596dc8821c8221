import type { RecordWrite } from './write-request.js';

/** What a write puts in the place of what; undefined where it is not known what it replaces. */
export interface Replacement {
  readonly action: RecordWrite['action'];
  readonly from: string | null | undefined;
  readonly to: string | null;
}

/**
 * Keeps writes apart that must not be in one commit. A PDS stores a record's content once for all its keys.
 * When one commit takes a content from a key and gives it to another, the reference PDS (0.5.35) deletes what
 * it has just stored, depending on the order of the keys and on the shape of its tree. The record is gone,
 * and the answer is 200. So a write that takes a content and one that gives it never share a commit.
 */
export class ContentClash {
  private readonly given = new Set<string | null>();
  private readonly taken = new Set<string | null | undefined>();

  /** Whether this write may join the ones so far; if so, it does. */
  admits({ action, from, to }: Replacement): boolean {
    const takes = action !== 'create';
    if (to !== null && (this.taken.has(to) || this.taken.has(undefined))) return false;
    if (takes && (from === undefined ? this.given.size > 0 : this.given.has(from))) return false;
    if (to !== null) this.given.add(to);
    if (takes) this.taken.add(from);
    return true;
  }
}
