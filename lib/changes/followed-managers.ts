import type { DataSource, EntityManager } from 'typeorm';
import { dataSourceOfManager } from '../database/data-source-of.js';
import type { WriteMethod } from './criteria-writes.js';
import type { InverseUpdates } from './inverse-updates.js';
import { WRITES, type ManagedWrites } from './managed-writes.js';

export interface Followed {
  readonly writes: ManagedWrites;
  readonly inverse: InverseUpdates;
}

type Methods = Record<string, WriteMethod | undefined>;
type CreateQueryBuilder = EntityManager['createQueryBuilder'];

const followed = new WeakMap<DataSource, Followed>();
const wrapped = new WeakSet<object>();

/**
 * Follows all managers of a DataSource, whenever they were made: by `new EntityManager(dataSource)`, or by
 * `dataSource.createEntityManager()` in the constructor of a repository, before the module started. Managers
 * share nothing but their class, so the methods of the class are wrapped, once per process. A manager of a
 * DataSource that is not followed uses TypeORM's own methods.
 *
 * @returns stops following
 */
export function followManagers(dataSource: DataSource, parts: Followed): () => void {
  const prototype = rootOf(dataSource.manager);
  if (!wrapped.has(prototype)) {
    wrapped.add(prototype);
    wrap(prototype);
  }
  followed.set(dataSource, parts);
  return () => void (followed.get(dataSource) === parts && followed.delete(dataSource));
}

/** The class that is wrapped: the root of all classes of managers, whose methods subclasses call. */
function rootOf(manager: EntityManager): object {
  let root = Object.getPrototypeOf(manager) as object;
  for (let next: unknown = root; next && next !== Object.prototype; next = Object.getPrototypeOf(next))
    root = next as object;
  return root;
}

function wrap(prototype: object): void {
  const methods = prototype as Methods;
  for (const name of WRITES) {
    const original = methods[name];
    if (!original) continue; // an older TypeORM does not have it
    methods[name] = function (this: EntityManager, ...args) {
      const write = followed.get(dataSourceOfManager(this))?.writes.methods.get(name);
      return write ? write(this, original.bind(this), args) : original.apply(this, args);
    };
  }
  const manager = prototype as EntityManager;
  const create = manager.createQueryBuilder as (...args: unknown[]) => ReturnType<CreateQueryBuilder>;
  manager.createQueryBuilder = function (this: EntityManager, ...args: unknown[]) {
    const builder = create.apply(this, args);
    followed.get(dataSourceOfManager(this))?.inverse.observe(builder as object, this.queryRunner);
    return builder;
  };
}
