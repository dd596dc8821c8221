import { syncMetadataOf } from './metadata/sync-metadata.js';
import type { MapperRegistry } from './records/mapper.registry.js';
import { hookWarnings, mapperWarnings } from './entities/near-misses.js';
import type { RecordMapper } from './records/record-mapper.js';
import type { SyncedEntities } from './entities/synced-entities.js';
import type { SyncedEntity } from './entities/synced-entity.js';
import { lackingScopes } from './sessions/oauth/needed-scopes.js';

export interface SetUp {
  readonly entities: SyncedEntities;
  readonly mappers: MapperRegistry;
  readonly dataSources: readonly string[];
  /** The scope of the client metadata; undefined without OAuth. */
  readonly scope: string | undefined;
}

/**
 * Warns of a set-up that starts but is probably not meant. Without the warning, an entity would silently
 * never be published.
 */
export function startUpWarnings({ entities, mappers, dataSources, scope }: SetUp): string[] {
  const all = entities.all();
  const warnings = [
    ...all.flatMap(cascadeWarnings),
    ...all.flatMap(hookWarnings),
    ...mappers.all().flatMap(mapperWarnings),
    ...mappers.all().flatMap((mapper) => unusedWarnings(mapper, all, dataSources)),
    ...(scope === undefined ? [] : scopeWarnings(scope, all)),
  ];
  // A subclass gets the same warnings as its base.
  return [...new Set(warnings)];
}

function cascadeWarnings({ name, sync, metadata }: SyncedEntity): string[] {
  if (sync.level !== 'auto') return [];
  return metadata.foreignKeys
    .filter(({ onDelete }) => onDelete === 'CASCADE')
    .map((relation) => {
      const property = relation.columns
        .map((column) => column.relationMetadata?.propertyName ?? column.propertyName)
        .join(', ');
      return (
        `${name}.${property} has onDelete: 'CASCADE': when the database deletes rows with their ` +
        `${relation.referencedEntityMetadata.name}, no event tells, and their records stay. Remove the ${name}s first, or run ` +
        `ParityService.reconcile(${name}) afterwards.`
      );
    });
}

function unusedWarnings(
  mapper: RecordMapper,
  entities: readonly SyncedEntity[],
  dataSources: readonly string[],
): string[] {
  if (entities.some((entity) => entity.mapper === mapper)) return [];
  const { entity } = mapper;
  const reason = syncMetadataOf(entity)
    ? `is in no DataSource that ParityModule knows (${dataSources.join(', ')}): add it to the entities of one, or name its ` +
      'DataSource in forRoot({ dataSources })'
    : 'is not marked: decorate it with @AutoSyncsWithAtp(), @PublishesRecords() or @HasAtpRecord()';
  return [`${mapper.constructor.name} maps nothing, because ${entity.name} ${reason}.`];
}

function scopeWarnings(scope: string, entities: readonly SyncedEntity[]): string[] {
  const collections = entities
    .filter(({ sync }) => sync.level !== 'has-record')
    .flatMap(({ mapper }) => mapper?.collection ?? []);
  const lacking = lackingScopes(scope, [...new Set(collections)]);
  if (lacking.length === 0) return [];
  return [
    `The scope of oauth.clientMetadata, '${scope}', lacks ${lacking.join(' ')}, which the mappers need: what is written there ` +
      'will be refused. Add it, and let the accounts sign in again.',
  ];
}
