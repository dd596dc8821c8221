import type { ParityModuleExtras } from 'nestjs-parity';
import type { Entities } from '../databases.js';

/** Entities that belong together, and what maps those of them that are marked. */
export interface Model {
  readonly entities: Entities;
  readonly mappers: NonNullable<ParityModuleExtras['mappers']>;
}

/** An application with the entities of them all. */
export const together = (...models: readonly Model[]): Model => ({
  entities: models.flatMap(({ entities }) => entities),
  mappers: models.flatMap(({ mappers }) => mappers),
});
