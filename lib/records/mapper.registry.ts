import { ensureValidNsid } from '@atproto/syntax';
import { EntitySchema } from 'typeorm';
import { ParityOptionsError } from '../errors/parity-options.error.js';
import { wrong } from '../model/option-checks.js';
import type { EntityClass, RecordMapper } from './record-mapper.js';

/** All mappers of the application, by entity class and by collection. */
export class MapperRegistry {
  private readonly byEntity = new Map<unknown, RecordMapper>();

  /** @throws ParityOptionsError for a second mapper of one entity, or a collection that is no NSID */
  register(mapper: RecordMapper): void {
    const name = mapper.constructor.name;
    const given: unknown = mapper.entity;
    if (given instanceof EntitySchema) {
      throw new ParityOptionsError(
        `${name}.entity is an EntitySchema; it has to be the class that the schema names as its target: write ` +
          `'new EntitySchema({ target: Post, ... })', mark Post with @AutoSyncsWithAtp(), and 'readonly entity = Post'.`,
      );
    }
    if (typeof mapper.entity !== 'function') {
      throw new ParityOptionsError(
        `${name}.entity is ${String(mapper.entity)}; it has to be the entity class: readonly entity = Post;`,
      );
    }
    const other = this.byEntity.get(mapper.entity);
    if (other === mapper) return;
    if (other) {
      throw new ParityOptionsError(
        `${mapper.entity.name} has two mappers, ${other.constructor.name} and ${name}; remove one of them ` +
          `(also check that no mapper is provided by two modules).`,
      );
    }
    try {
      ensureValidNsid(mapper.collection);
    } catch (cause) {
      throw new ParityOptionsError(
        `${name}.collection is '${mapper.collection}', which is no NSID; write something like 'app.bsky.feed.post'.`,
        { cause },
      );
    }
    checkMembers(mapper);
    this.byEntity.set(mapper.entity, mapper);
  }

  /** The mapper of an entity class, or of the nearest class that it extends; undefined without one. */
  forEntity(entity: EntityClass): RecordMapper | undefined {
    for (let type: unknown = entity; typeof type === 'function'; type = Object.getPrototypeOf(type)) {
      const mapper = this.byEntity.get(type);
      if (mapper) return mapper;
    }
    return undefined;
  }

  /** The mappers of a collection; several entities may share one. */
  forCollection(nsid: string): RecordMapper[] {
    return this.all().filter((mapper) => mapper.collection === nsid);
  }

  has(nsid: string): boolean {
    return this.forCollection(nsid).length > 0;
  }

  collections(): string[] {
    return [...new Set(this.all().map((mapper) => mapper.collection))];
  }

  all(): RecordMapper[] {
    return [...this.byEntity.values()];
  }
}

/**
 * @throws ParityOptionsError for members that have the right name and cannot be used: with them every sync
 *   would fail
 */
function checkMembers(mapper: RecordMapper): void {
  const { toRecord, relations, schema, owns } = mapper as Partial<RecordMapper>;
  const of = (member: string): string => `${member} of ${mapper.constructor.name}`;
  if (typeof toRecord !== 'function')
    throw wrong(of('toRecord'), toRecord, 'a method: toRecord(entity) { … }');
  const methods = {
    rkey: "rkey() { return 'self'; }",
    fromRecord: 'fromRecord(record) { … }',
    afterApply: 'afterApply(entity) { … }',
  };
  for (const [name, example] of Object.entries(methods)) {
    const given = mapper[name as keyof typeof methods];
    if (given !== undefined && typeof given !== 'function')
      throw wrong(of(name), given, `a method: override ${example}`);
  }
  if (owns !== undefined && !(Array.isArray(owns) && owns.every((field) => typeof field === 'string')))
    throw wrong(of('owns'), owns, "a list of top-level fields of the record, such as ['text', 'langs']");
  if (typeof relations !== 'object' || relations === null || Array.isArray(relations))
    throw wrong(of('relations'), relations, "an object as TypeORM's find() does, such as { user: true }");
  if (schema !== undefined && typeof schema?.safeValidate !== 'function')
    throw wrong(of('schema'), schema, 'a schema with safeValidate(value), such as one of @atproto/lex');
}
