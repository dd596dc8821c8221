import {
  defineSyncMetadata,
  type AutoSyncBehaviour,
  type ConflictBehaviour,
  type InboundBehaviour,
  type SyncFunctions,
  type SyncLevel,
} from '../metadata/sync-metadata.js';

import { boolean, checkNames, oneOf, wrong, type OptionNames } from '../model/option-checks.js';

type EntityClassDecorator<E> = (target: abstract new (...args: never[]) => E) => void;

export interface SyncNameOption {
  /**
   * The name under which pending syncs remember the class, whatever its name in the code of a process.
   * Default: the name of its table, for a child of a single table followed by its discriminator value. In any
   * but the first of `dataSources` the name of the DataSource comes first.
   */
  readonly name?: string;
}

export type HasRecordDecoratorOptions = Partial<InboundBehaviour> & SyncNameOption;
export type SyncDecoratorOptions<E> = Pick<SyncFunctions<E>, 'syncAsDid'> &
  Partial<AutoSyncBehaviour & ConflictBehaviour> &
  HasRecordDecoratorOptions;
export type AutoSyncDecoratorOptions<E> = SyncFunctions<E> & SyncDecoratorOptions<E>;

const HAS_RECORD: OptionNames<HasRecordDecoratorOptions> = {
  name: true,
  whenRecordDeleted: true,
  onInvalid: true,
};

const PUBLISHES: OptionNames<SyncDecoratorOptions<object>> = {
  ...HAS_RECORD,
  conflicts: true,
  mergeConflict: true,
  syncAsDid: true,
  whenNotEligible: true,
  followOwner: true,
  onConflict: true,
};

const AUTO: OptionNames<AutoSyncDecoratorOptions<object>> = {
  ...PUBLISHES,
  shouldAutoSync: true,
  shouldAutoUnsync: true,
};

const DECORATORS = {
  'has-record': { decorator: '@HasAtpRecord()', names: HAS_RECORD },
  publishes: { decorator: '@PublishesRecords()', names: PUBLISHES },
  auto: { decorator: '@AutoSyncsWithAtp()', names: AUTO },
} satisfies Record<SyncLevel, object>;

const mark =
  <E>(level: SyncLevel, options: AutoSyncDecoratorOptions<E>): EntityClassDecorator<E> =>
  (target) => {
    const { decorator, names } = DECORATORS[level];
    checkOptions(`${decorator} of ${target.name}`, options, names);
    const { name, whenNotEligible = 'keep', followOwner = false, onConflict, ...others } = options;
    const {
      whenRecordDeleted,
      onInvalid = 'reject',
      conflicts = 'remote',
      mergeConflict = 'remote',
      ...functions
    } = others;
    defineSyncMetadata(target, {
      level,
      name,
      whenNotEligible,
      followOwner,
      onConflict,
      whenRecordDeleted,
      onInvalid,
      conflicts,
      mergeConflict,
      functions: functions as SyncFunctions<object>,
    });
  };

function checkOptions<E>(
  whose: string,
  options: AutoSyncDecoratorOptions<E>,
  names: Readonly<Record<string, true>>,
): void {
  checkNames(whose, options, names);
  const { name, whenNotEligible, followOwner, onConflict, ...others } = options;
  const { whenRecordDeleted, onInvalid, conflicts, mergeConflict, ...functions } = others;
  const of = (option: string): string => `${option} in ${whose}`;
  if (name !== undefined && (typeof name !== 'string' || name === ''))
    throw wrong(of('name'), name, 'a name, such as that of the table');
  if (whenNotEligible !== undefined) oneOf(of('whenNotEligible'), whenNotEligible, ['keep', 'unpublish']);
  if (followOwner !== undefined) boolean(of('followOwner'), followOwner);
  if (onConflict !== undefined) oneOf(of('onConflict'), onConflict, ['overwrite', 'fail']);
  if (whenRecordDeleted !== undefined)
    oneOf(of('whenRecordDeleted'), whenRecordDeleted, ['remove', 'softRemove', 'keep']);
  if (onInvalid !== undefined) oneOf(of('onInvalid'), onInvalid, ['reject', 'accept']);
  if (conflicts !== undefined && typeof conflicts !== 'function')
    oneOf(of('conflicts'), conflicts, ['remote', 'local', 'newest', 'merge', 'manual']);
  if (mergeConflict !== undefined) oneOf(of('mergeConflict'), mergeConflict, ['local', 'remote', 'manual']);
  for (const [option, value] of Object.entries(functions))
    if (value !== undefined && typeof value !== 'function') throw wrong(of(option), value, 'a function');
}

/**
 * The entity knows its record (uri, cid, rkey), but this package never publishes it. With a `fromRecord` of its
 * mapper it follows its record.
 */
export const HasAtpRecord = <E extends object>(
  options: HasRecordDecoratorOptions = {},
): EntityClassDecorator<E> => mark<E>('has-record', options);

/** The entity can be published by hand (`publish()` and the like); includes {@link HasAtpRecord}. */
export const PublishesRecords = <E extends object>(
  options: SyncDecoratorOptions<E> = {},
): EntityClassDecorator<E> => mark<E>('publishes', options);

/** The record follows the entity's life: saved, changed, removed; includes {@link PublishesRecords}. */
export const AutoSyncsWithAtp = <E extends object>(
  options: AutoSyncDecoratorOptions<E> = {},
): EntityClassDecorator<E> => mark<E>('auto', options);
