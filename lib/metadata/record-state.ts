import { recordColumnNamesOf, type RecordColumnNames } from './sync-metadata.js';

export interface RecordState {
  readonly uri: string | null;
  readonly cid: string | null;
  readonly rkey: string | null;
  readonly syncedAt: unknown;
}

/** What an instance says of its record, under whatever property names its class uses. */
export function recordStateOf(entity: object): RecordState {
  const names = recordColumnNamesOf(entity.constructor);
  const text = (column: keyof RecordColumnNames): string | null => {
    const value = read(entity, names[column]);
    return typeof value === 'string' && value !== '' ? value : null;
  };
  return { uri: text('uri'), cid: text('cid'), rkey: text('rkey'), syncedAt: read(entity, names.syncedAt) };
}

const read = (entity: object, property: string | undefined): unknown =>
  property === undefined ? undefined : (entity as Record<string, unknown>)[property];
