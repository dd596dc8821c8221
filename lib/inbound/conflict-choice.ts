import { TID } from '@atproto/common-web';
import { MapperError } from '../errors/mapper.error.js';
import { reasonOf } from '../errors/reason-of.js';
import type { ConflictChoice } from '../metadata/sync-metadata.js';
import type { RecordJson } from '../model/evidence.js';
import { withinTime } from '../runtime/answers.js';
import type { AdmissionItem } from './admission-item.js';
import { merge } from './merge.js';

/** What both sides of a conflict ask for; null: no record. */
export interface ConflictSides {
  readonly local: RecordJson | null;
  readonly remote: RecordJson | null;
  /** The record that both agreed on last; null if it is not known. */
  readonly base: RecordJson | null;
}

/** How a conflict ends. `merged`: both sides get the record. `manual`: somebody has to decide. */
export type Resolution =
  { readonly side: 'local' | 'remote' | 'manual' } | { readonly side: 'merged'; readonly record: RecordJson };

/**
 * Decides a conflict by the class's strategy.
 *
 * @throws MapperError when the class's own function throws, or gives what is no decision
 */
export async function resolutionOf(
  item: AdmissionItem,
  sides: ConflictSides,
  timeoutMs: number,
): Promise<Resolution> {
  const { conflicts } = item.entity.sync;
  if (typeof conflicts !== 'function') return resolved(conflicts, item, sides);
  const failed = (cause: unknown): MapperError =>
    new MapperError(`conflicts() of ${item.entity.name} failed for ${item.uri}: ${reasonOf(cause)}`, {
      uri: item.uri,
      entityName: item.entity.name,
      cause,
    });
  let answer: unknown;
  try {
    answer = await withinTime(conflicts(sides.local, sides.remote, sides.base), timeoutMs);
  } catch (cause) {
    throw failed(cause);
  }
  if (typeof answer === 'object' && answer !== null) return { side: 'merged', record: answer as RecordJson };
  if (CHOICES.includes(answer)) return resolved(answer as ConflictChoice, item, sides);
  throw failed(new Error(`it gave ${String(answer)}; give one of ${CHOICES.join(', ')}, or a record`));
}

const CHOICES: readonly unknown[] = [
  'remote',
  'local',
  'newest',
  'merge',
  'manual',
] satisfies ConflictChoice[];

function resolved(choice: ConflictChoice, item: AdmissionItem, sides: ConflictSides): Resolution {
  switch (choice) {
    case 'newest':
      return { side: isRemoteNewer(item) ? 'remote' : 'local' };
    case 'merge':
      return mergedSides(item, sides);
    default:
      return { side: choice };
  }
}

/** By the time of the commit, and by the database's clock when the local change was captured. */
const isRemoteNewer = ({ evidence, known }: AdmissionItem): boolean =>
  TID.fromStr(evidence.rev).timestamp() / 1_000 > (known?.changedAt ?? 0);

/** A deletion cannot be merged with an edit, so it clashes as a whole. */
function mergedSides(item: AdmissionItem, { local, remote, base }: ConflictSides): Resolution {
  const { mergeConflict } = item.entity.sync;
  if (!local || !remote) return { side: mergeConflict };
  const { record, clashes } = merge(local, remote, base, mergeConflict === 'local' ? 'local' : 'remote');
  return clashes.length > 0 && mergeConflict === 'manual' ? { side: 'manual' } : { side: 'merged', record };
}
