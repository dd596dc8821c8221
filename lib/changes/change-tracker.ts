import type { DataSource, EntityMetadata, EntitySubscriberInterface } from 'typeorm';
import { capabilitiesOf } from '../database/capabilities.js';
import { halfOf } from '../database/connection-share.js';
import type { SyncedEntities } from '../entities/synced-entities.js';
import type { SyncedEntity } from '../entities/synced-entity.js';
import type { SyncDispatcher } from '../sync/sync-dispatcher.js';
import { BulkWritePolicy, type BulkWriteReaction } from './bulk-write.policy.js';
import { ChangeFeed } from './change-feed.js';
import type { ChangeFeeds } from './change-feeds.js';
import { CriteriaWrites } from './criteria-writes.js';
import { EntityChangeSubscriber } from './entity.subscriber.js';
import { followManagers } from './followed-managers.js';
import { InsertBuilders } from './insert-builders.js';
import { InverseUpdates } from './inverse-updates.js';
import { JunctionSubscriber } from './junction.subscriber.js';
import { ManagedWrites } from './managed-writes.js';
import { MarkedClasses } from './marked-classes.js';
import { RemovalWatch } from './removal-watch.js';
import { TransactionSubscriber } from './transaction.subscriber.js';

export interface ChangeTrackerOptions {
  readonly dataSource: DataSource;
  readonly entities: SyncedEntities;
  readonly dispatcher: SyncDispatcher;
  /** Has the feed of the DataSource for as long as the module follows it. */
  readonly feeds: ChangeFeeds;
  readonly onBulkWrite: BulkWriteReaction;
  readonly warn: (message: string) => void;
}

/**
 * Follows the marked entities of one DataSource.
 *
 * @returns stops following
 */
export function trackChanges({
  dataSource,
  entities,
  dispatcher,
  feeds,
  onBulkWrite,
  warn,
}: ChangeTrackerOptions): () => void {
  const isShared = capabilitiesOf(dataSource).sharesConnection;
  const maxWaiting = isShared ? Infinity : halfOf(dataSource);
  const feed = new ChangeFeed(dispatcher, isShared, warn, maxWaiting);
  feeds.set(dataSource, feed);
  const bulk = new BulkWritePolicy(onBulkWrite, warn);
  const rows = new MarkedClasses(entities);
  const removals = new RemovalWatch();
  const inverse = new InverseUpdates(feed);
  const own = entities.all().filter((entity) => entity.dataSource === dataSource);
  const junctions = new JunctionSubscriber({ entities: own, rows, feed, bulk });
  const subscribers = new Set<EntitySubscriberInterface>([
    new TransactionSubscriber(feed),
    ...(junctions.isNeeded ? [junctions] : []),
    ...roots(own).map(
      (target) => new EntityChangeSubscriber({ target, entities, rows, feed, bulk, removals, inverse }),
    ),
  ]);
  dataSource.subscribers.push(...subscribers);

  const capture = new CriteriaWrites(feed, rows, removals, bulk);
  const writes = new ManagedWrites({ dataSource, rows, feed, bulk, capture });
  const unfollow = followManagers(dataSource, { writes, inverse });
  const inserts = new InsertBuilders(feed, rows, bulk);
  dataSource.createQueryBuilder = inserts.watched(dataSource.createQueryBuilder.bind(dataSource));
  return () => {
    unfollow();
    feeds.delete(dataSource);
    Reflect.deleteProperty(dataSource, 'createQueryBuilder');
    const others = dataSource.subscribers.filter((subscriber) => !subscribers.has(subscriber));
    dataSource.subscribers.splice(0, Infinity, ...others);
  };
}

/**
 * The classes to subscribe to. A subscriber also hears subclasses, so a second one for a subclass of a marked
 * class would hear each event twice.
 */
function roots(entities: readonly SyncedEntity[]): Function[] {
  const marked = entities
    .map(({ metadata }) => tableRoot(metadata).target)
    .filter((target) => typeof target === 'function');
  return [...new Set(marked)].filter(
    (target) => !marked.some((other) => other !== target && target.prototype instanceof other),
  );
}

/** In a single table, the rows of a marked child can be written through its unmarked parent. */
const tableRoot = (metadata: EntityMetadata): EntityMetadata =>
  metadata.tableType === 'entity-child' && metadata.parentEntityMetadata
    ? tableRoot(metadata.parentEntityMetadata)
    : metadata;
