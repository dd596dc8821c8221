import type { RecordMapper } from '../records/record-mapper.js';
import type { RecordJson } from '../model/evidence.js';

/**
 * The top-level fields of a record that belong to other applications; null for none.
 *
 * @param ours the record that the mapper makes; its fields are ours unless the mapper names them (`owns`)
 */
export function foreignFields(record: RecordJson, ours: RecordJson, mapper: RecordMapper): RecordJson | null {
  const owned = new Set(mapper.owns ?? Object.keys(ours));
  const foreign = Object.entries(record).filter(([field]) => field !== '$type' && !owned.has(field));
  return foreign.length > 0 ? Object.fromEntries(foreign) : null;
}
