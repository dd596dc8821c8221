export { FakeRecordSource } from './fake-record-source.js';
export { recordEvent, type RecordEventOptions } from './record-event.js';
export { recordSourceContract, type RecordSourceContractOptions } from './record-source.contract.js';
export type {
  OpenSourceSubject,
  RecordSourceCase,
  RecordSourceSubject,
  SourceFault,
} from './record-source-subject.js';
