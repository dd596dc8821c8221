import type { RecordSource } from '../../../lib/inbound/sources/record-source.js';
import type { RecordSourceSubject } from '../../../lib/testing/sources/record-source-subject.js';

type Writer = Pick<RecordSourceSubject, 'did' | 'collection' | 'write' | 'setActive'>;
type Faults = Pick<RecordSourceSubject, 'drop' | 'close' | 'garbage' | 'forget' | 'flood'>;

/** The subject of a contract: an account, a service with its faults, and the source that follows it. */
export const subjectOf = (
  writer: Writer,
  service: Faults & AsyncDisposable,
  source: RecordSource,
): RecordSourceSubject => ({
  source,
  did: writer.did,
  collection: writer.collection,
  write: (rkey, record) => writer.write(rkey, record),
  setActive: async (isActive) => writer.setActive?.(isActive),
  drop: () => service.drop?.(),
  close: () => service.close?.(),
  garbage: () => service.garbage?.(),
  forget: () => service.forget?.(),
  flood: async () => (await service.flood?.()) ?? false,
  [Symbol.asyncDispose]: async () => service[Symbol.asyncDispose](),
});
