import { Recent } from '../runtime/recent.js';

/**
 * CIDs by the JSON of records, of one collection and one schema. An edit of a column that is not in the
 * record gives the same JSON.
 */
export class KnownCids {
  private readonly recent = new Recent<string, string>(200);

  get(json: string): string | undefined {
    return this.recent.get(json);
  }

  set(json: string, cid: string): void {
    if (json.length <= 10_000) this.recent.set(json, cid);
  }
}
