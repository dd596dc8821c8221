import {
  defineSyncMetadata,
  type AutoSyncBehaviour,
  type SyncFunctions,
  type SyncLevel,
} from '../metadata/sync-metadata.js';

type EntityClassDecorator<E> = (target: abstract new (...args: never[]) => E) => void;

export type SyncDecoratorOptions<E> = Pick<SyncFunctions<E>, 'syncAsDid'> & Partial<AutoSyncBehaviour>;
export type AutoSyncDecoratorOptions<E> = SyncFunctions<E> & Partial<AutoSyncBehaviour>;

const mark =
  <E>(level: SyncLevel, options: AutoSyncDecoratorOptions<E>): EntityClassDecorator<E> =>
  (target) => {
    const { whenNotEligible = 'keep', followOwner = false, onConflict, ...functions } = options;
    defineSyncMetadata(target, {
      level,
      whenNotEligible,
      followOwner,
      onConflict,
      functions: functions as SyncFunctions<object>,
    });
  };

/** The entity knows its record (uri, cid, rkey), but is never published by this package. */
export const HasAtpRecord = <E extends object>(): EntityClassDecorator<E> => mark<E>('has-record', {});

/** The entity can be published by hand (`publish()` and its like); includes {@link HasAtpRecord}. */
export const PublishesRecords = <E extends object>(
  options: SyncDecoratorOptions<E> = {},
): EntityClassDecorator<E> => mark<E>('publishes', options);

/** The record follows the entity's life: saved, changed, removed; includes {@link PublishesRecords}. */
export const AutoSyncsWithAtp = <E extends object>(
  options: AutoSyncDecoratorOptions<E> = {},
): EntityClassDecorator<E> => mark<E>('auto', options);
