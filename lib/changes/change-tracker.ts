import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import type { SyncedEntities } from '../records/synced-entities.js';
import type { SyncDispatcher } from '../sync/sync-dispatcher.js';
import { BulkWritePolicy, type BulkWriteReaction } from './bulk-write.policy.js';
import { ChangeFeed } from './change-feed.js';
import { EntityChangeSubscriber } from './entity.subscriber.js';
import { ManagedWrites } from './managed-writes.js';
import { TransactionSubscriber } from './transaction.subscriber.js';

export interface ChangeTrackerOptions {
  readonly dataSource: DataSource;
  readonly entities: SyncedEntities;
  readonly dispatcher: SyncDispatcher;
  readonly onBulkWrite: BulkWriteReaction;
  readonly warn: (message: string) => void;
}

/** Drivers with one connection, and one query runner, for everybody. */
const SHARED_CONNECTION = [
  'better-sqlite3',
  'sqlite',
  'sqljs',
  'capacitor',
  'cordova',
  'expo',
  'nativescript',
  'react-native',
];

/**
 * Listens to the life of the marked entities of one DataSource.
 * @returns stops listening
 */
export function trackChanges({
  dataSource,
  entities,
  dispatcher,
  onBulkWrite,
  warn,
}: ChangeTrackerOptions): () => void {
  const feed = new ChangeFeed(dispatcher, SHARED_CONNECTION.includes(dataSource.options.type), warn);
  const bulk = new BulkWritePolicy(onBulkWrite, warn);
  const subscribers = [
    new TransactionSubscriber(feed),
    ...markedRoots(dataSource, entities).map(
      (target) => new EntityChangeSubscriber(target, entities, feed, bulk),
    ),
  ];
  dataSource.subscribers.push(...subscribers);

  const writes = new ManagedWrites(dataSource, entities, feed, bulk);
  const unwrap = writes.wrap(dataSource.manager);
  // The managers of transactions and of explicit query runners are made here.
  const createEntityManager = dataSource.createEntityManager.bind(dataSource);
  dataSource.createEntityManager = (queryRunner?: QueryRunner): EntityManager => {
    const manager = createEntityManager(queryRunner);
    writes.wrap(manager);
    return manager;
  };
  return () => {
    unwrap();
    Reflect.deleteProperty(dataSource, 'createEntityManager');
    for (const subscriber of subscribers)
      dataSource.subscribers.splice(dataSource.subscribers.indexOf(subscriber), 1);
  };
}

/** A subscriber hears subclasses too, so one to a subclass of a marked class would hear everything twice. */
function markedRoots(dataSource: DataSource, entities: SyncedEntities): Function[] {
  const marked = entities
    .all()
    .filter((entity) => entity.dataSource === dataSource)
    .map(({ metadata }) => metadata.target)
    .filter((target) => typeof target === 'function');
  return marked.filter(
    (target) => !marked.some((other) => other !== target && target.prototype instanceof other),
  );
}
