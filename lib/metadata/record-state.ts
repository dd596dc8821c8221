import { recordColumnNamesOf, type RecordColumnNames } from './sync-metadata.js';

export interface RecordState {
  readonly uri: string | null;
  readonly cid: string | null;
  readonly rkey: string | null;
  readonly syncedAt: unknown;
}

/** Per class: looking the names up along the prototypes takes longer than all the rest. */
const namesOf = new WeakMap<object, RecordColumnNames>();

/** The record columns of an instance, whatever property names its class uses. */
export function recordStateOf(entity: object): RecordState {
  let names = namesOf.get(entity.constructor);
  if (!names) {
    names = recordColumnNamesOf(entity.constructor);
    // The names of an EntitySchema are known once the module has started.
    if (names.uri !== undefined) namesOf.set(entity.constructor, names);
  }
  const { uri, cid, rkey, syncedAt } = names;
  return {
    uri: text(entity, uri),
    cid: text(entity, cid),
    rkey: text(entity, rkey),
    syncedAt: read(entity, syncedAt),
  };
}

const text = (entity: object, property: string | undefined): string | null => {
  const value = read(entity, property);
  return typeof value === 'string' && value !== '' ? value : null;
};

const read = (entity: object, property: string | undefined): unknown =>
  property === undefined ? undefined : (entity as Record<string, unknown>)[property];
