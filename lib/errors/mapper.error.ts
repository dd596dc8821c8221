import { ParityError } from './parity.error.js';

/** A mapper (or one of the entity's sync functions) threw, or gave what cannot be a record. */
export class MapperError extends ParityError {
  readonly code = 'MAPPER_FAILED';
}
