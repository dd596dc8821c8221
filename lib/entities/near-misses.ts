import { nearestName } from '../model/nearest-name.js';
import type { SyncHooks } from '../metadata/sync-metadata.js';
import { isPlainObject } from './plain-object.js';
import type { RecordMapper } from '../records/record-mapper.js';
import type { SyncedEntity } from './synced-entity.js';

/** The consequence for a class whose function is never called. */
const WITHOUT: Readonly<Record<keyof SyncHooks, string>> = {
  syncAsDid: 'the default tells the account that owns its record',
  shouldAutoSync: 'every one is published',
  shouldAutoUnsync: 'removing one always deletes its record',
};

/**
 * Warns of names that look misspelled. The functions of an entity and the optional members of a mapper are
 * found by their names: a misspelled one is never called, and drafts are published.
 */
export function hookWarnings({ name, metadata, sync }: SyncedEntity): string[] {
  if (typeof metadata.target !== 'function' || sync.level === 'has-record') return [];
  const members = membersOf(metadata.target.prototype as object, () => metadata.create());
  const hooks = (Object.keys(WITHOUT) as (keyof SyncHooks)[]).filter(
    (hook) => sync.level === 'auto' || hook === 'syncAsDid',
  );
  const open = hooks.filter((hook) => !sync.functions[hook] && !isMethod(members.get(hook)));
  const misplaced = open
    .filter((hook) => members.has(hook) || hook in (metadata.target as object))
    .map((hook) => `${name}.${hook} is no method of its instances, so it is not asked: ${WITHOUT[hook]}.`);
  const misspelled = misses(members, hooks, (member) => isMethod(member) || member.get !== undefined)
    .filter(({ meant }) => open.includes(meant))
    .map(
      ({ given, meant }) =>
        `${name} has ${given}, which nothing asks; did you mean ${meant}()? Without that, ${WITHOUT[meant]}.`,
    );
  return [...misplaced, ...misspelled];
}

/** The same for the optional members of a mapper. */
export function mapperWarnings(mapper: RecordMapper): string[] {
  const { name } = mapper.constructor;
  const members = membersOf(mapper, () => mapper);
  const { relations } = mapper;
  const methods = (['rkey', 'fromRecord', 'afterApply'] as const).filter((one) => !mapper[one]);
  const values = [
    ...(Object.keys(relations).length > 0 ? [] : (['relations'] as const)),
    ...(mapper.schema ? [] : (['schema'] as const)),
  ];
  return [
    ...misses(members, methods, isMethod),
    // An instance of a class was probably injected.
    ...misses(members, values, ({ value, get }) => get !== undefined || isPlainObject(value)),
  ].map(({ given, meant }) => `${name} has ${given}, which nothing reads; did you mean ${meant}?`);
}

/** The members that are probably meant to be one of these names, and are none of them. */
function misses<Name extends string>(
  members: ReadonlyMap<string, PropertyDescriptor>,
  names: readonly Name[],
  isKind: (member: PropertyDescriptor) => boolean,
): { given: string; meant: Name }[] {
  return [...members].flatMap(([given, member]) => {
    const meant = nearestName(given, names) as Name | undefined;
    if (meant === undefined || meant === given || isOtherWord(given, meant)) return [];
    return isKind(member) ? [{ given, meant }] : [];
  });
}

/** A short name with another first letter is no slip, but a word of its own: `key`, `pkey` for `rkey`. */
const isOtherWord = (given: string, meant: string): boolean =>
  meant.length < 6 && given.replace(/^_+/, '')[0]?.toLowerCase() !== meant[0];

/** Getters are not called. */
function membersOf(prototype: object, create: () => object): Map<string, PropertyDescriptor> {
  const found = new Map<string, PropertyDescriptor>();
  const add = (holder: object): void => {
    for (const [name, member] of Object.entries(Object.getOwnPropertyDescriptors(holder)))
      if (!found.has(name)) found.set(name, member);
  };
  try {
    // A method may be a field that holds a function.
    add(create());
  } catch {
    // A constructor that demands arguments gives no instance, and no fields to see.
  }
  for (let at: object | null = prototype; at && at !== Object.prototype; at = Object.getPrototypeOf(at))
    add(at);
  return found;
}

const isMethod = (member: PropertyDescriptor | undefined): boolean => typeof member?.value === 'function';
