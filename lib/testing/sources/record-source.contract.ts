import { faultCases } from './fault.cases.js';
import { iterationCases } from './iteration.cases.js';
import { recordCases } from './record.cases.js';
import type { RecordSourceCase, SourceFault } from './record-source-subject.js';

export interface RecordSourceContractOptions {
  /** What a subject can do to its service. Default all. */
  readonly faults?: readonly SourceFault[];
  /** Whether the source tells of accounts, and a subject has `setActive`. Default true. */
  readonly accounts?: boolean;
}

/**
 * What every `RecordSource` has to do, for any test runner:
 * `it.each(recordSourceContract())('$name', ({ run }) => run(open))`.
 */
export function recordSourceContract({
  faults = ['drop', 'close', 'garbage', 'forget', 'flood'],
  accounts = true,
}: RecordSourceContractOptions = {}): RecordSourceCase[] {
  return [...recordCases({ accounts }), ...iterationCases(), ...faultCases(faults)];
}
