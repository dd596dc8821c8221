/** Which keys of a tree are wanted: those of some collections, or all. */
export class WantedKeys {
  private readonly collections: ReadonlySet<string> | null;
  private readonly ranges: readonly { readonly from: string; readonly to: string }[];

  /** @param collections NSIDs; null for all */
  constructor(collections: readonly string[] | null) {
    this.collections = collections && new Set(collections);
    // '0' is the character after '/'.
    this.ranges = [...(this.collections ?? [])].map((nsid) => ({ from: `${nsid}/`, to: `${nsid}0` }));
  }

  has(key: string): boolean {
    return this.collections === null || this.collections.has(key.slice(0, Math.max(0, key.indexOf('/'))));
  }

  /**
   * Whether a wanted key may be between two others.
   *
   * @param after '' for none
   * @param before null for none
   */
  mayBeBetween(after: string, before: string | null): boolean {
    if (this.collections === null) return true;
    return this.ranges.some(({ from, to }) => after < to && (before === null || from < before));
  }
}
