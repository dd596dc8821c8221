import { ensureValidNsid } from '@atproto/syntax';
import { EntitySchema } from 'typeorm';
import { ParityOptionsError } from '../errors/parity-options.error.js';
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
