import type { RecordSource } from '../../../lib/inbound/sources/record-source.js';
import type { MemoryService } from './memory-service.js';
import { MemorySource, type Flaw } from './memory-source.js';

/** A source that breaks one rule, to see that the contract notices. */
export interface BrokenRecordSource {
  /** What it does wrong: "a source that ...". */
  readonly breaks: string;
  /** A part of the name of the case that it has to fail. */
  readonly fails: string;
  readonly source: (service: MemoryService) => RecordSource;
}

const flaws: readonly (readonly [Flaw, string])[] = [
  ['tells no revision', 'tells a record that is created'],
  ['tells another CID', 'tells a record that is created'],
  ['tells no deletions', 'tells a record that is created'],
  ['tells in another order', 'in their order'],
  ['tells no accounts', 'is deactivated'],
  ['begins anew', 'goes on after the last acknowledged batch'],
  ['acknowledges early', 'that was not acknowledged'],
  ['ignores its signal', 'while it waits'],
  ['ignores its signal after a batch', 'its signal aborts while a batch'],
  ['loses what a broken connection had', 'when its connection breaks, and tells'],
  ['loses while a batch is worked on', 'when its connection breaks while'],
  ['ends when closed', 'in good order'],
  ['stops at garbage', 'skips what it cannot read'],
  ['says nothing of garbage', 'skips what it cannot read'],
  ['tells no gap', 'tells a gap'],
  ['reads ahead without an end', 'makes the service wait'],
];

export const brokenRecordSources: readonly BrokenRecordSource[] = flaws.map(([flaw, fails]) => ({
  breaks: flaw,
  fails,
  source: (service) => new MemorySource(service, flaw),
}));
