// Set the module up
export { ParityModule } from './parity.module.js';
export { parityEntities, parityMigrations } from './parity.module-tables.js';
export type {
  ParityModuleExtras,
  ParityModuleOptions,
  ParityOptionsFactory,
} from './parity.module-definition.js';
export type {
  ParityOptions,
  PdsOptions,
  PendingSyncCache,
  PendingSyncOptions,
  SyncMode,
  SyncOptions,
} from './model/options.js';

// Mark entities
export { AutoSyncsWithAtp, HasAtpRecord, PublishesRecords } from './entities/sync.decorators.js';
export type { AutoSyncDecoratorOptions, SyncDecoratorOptions } from './entities/sync.decorators.js';
export type { AutoSyncBehaviour, SyncFunctions, SyncHooks } from './metadata/sync-metadata.js';
export { AtpRecordEntity, withAtpRecord, type AtpRecordMembers } from './entities/atp-record.entity.js';
export {
  AtpCid,
  AtpRkey,
  AtpSyncedAt,
  AtpUri,
  atpRecordColumns,
} from './entities/record-column.decorators.js';
export { whereHasNoRecord, whereHasRecord, whereRecordUri } from './entities/where.js';

// Map them to records
export { AtpMapper, RecordMapper } from './records/record-mapper.js';
export type { CollectionOf, EntityClass, RecordInput, RecordSchema } from './records/record-mapper.js';
export { MapperRegistry } from './records/mapper.registry.js';

// Follow records
export { AtpHiddenAt } from './entities/record-column.decorators.js';
export type { AppliedContext, InboundContext } from './records/record-mapper.js';
export type {
  ConflictBehaviour,
  ConflictChoice,
  ConflictFunction,
  InboundBehaviour,
} from './metadata/sync-metadata.js';
export { whereVisible } from './entities/where.js';
export type { FollowedAccounts, InboundOptions } from './inbound/inbound-options.js';
export type { ImportOptions, ImportProgress, ImportReport } from './inbound/import/import-report.js';
export type { FetchReason, FetchResult } from './inbound/fetcher.js';
export { Conflicts, type ConflictQuery, type OpenConflict } from './inbound/conflicts.service.js';
export { InboundDeadLetters, type InboundDeadLetter } from './inbound/inbound-dead-letters.js';
export type { AccountStatus, Repository } from './pending/repository.store.js';
export { RecordApplied } from './events/record-applied.event.js';
export { RecordRemoved } from './events/record-removed.event.js';
export { RecordRejected } from './events/record-rejected.event.js';
export { ConflictDetected } from './events/conflict-detected.event.js';
export { ConflictResolved } from './events/conflict-resolved.event.js';
export { AccountImported } from './events/account-imported.event.js';
export { AccountStatusChanged } from './events/account-status-changed.event.js';
export { InboundStalled } from './events/inbound-stalled.event.js';
export { AccountInactiveError } from './errors/account-inactive.error.js';
export { IdentityError } from './errors/identity.error.js';
export { RecordUnreadableError } from './errors/record-unreadable.error.js';
export { RepositoryUnreadableError } from './errors/repository-unreadable.error.js';

// Publish by hand
export { ParityService } from './parity.service.js';
export { SyncService } from './sync/sync.service.js';
export { SyncResult, type SyncStatus } from './model/sync-result.js';
export { atUri, parseAtUri, type Address } from './model/address.js';

// Pending syncs
export { PendingSyncManager } from './maintenance/pending-sync.manager.js';
export { PendingSyncRetryResult } from './model/pending-sync-retry-result.js';
export type { PendingSync, SyncOperation } from './model/pending-sync.js';
export { DeadLettersService } from './maintenance/dead-letters.service.js';
export type { DeadLetter, DeadLetterPage, DeadLetterQuery } from './pending/dead-letter.js';
export type { PendingStats } from './pending/pending-views.js';

// See and repair
export type { EntityStatus } from './maintenance/status/entity-status.js';
export type {
  ReconcileFigures,
  ReconcileOptions,
  ReconcileProgress,
  ReconcileResult,
} from './maintenance/reconcile/reconciliation.js';

// Where live events come from
export { firehose, type FirehoseOptions } from './inbound/sources/firehose/firehose.js';
export { jetstream, type JetstreamOptions } from './inbound/sources/jetstream/jetstream.js';
export { tap, type TapOptions } from './inbound/sources/tap/tap.js';
export {
  tapWebhook,
  type TapWebhookOptions,
  type TapWebhookSource,
} from './inbound/sources/tap/tap-webhook.js';
export type { OpenOptions, RecordSource, SourceBatch, SourceEvent } from './inbound/sources/record-source.js';
export type { RecordJson } from './model/evidence.js';
export { WebhookRefusedError } from './errors/webhook-refused.error.js';

// Sign accounts in
export { SessionProvider } from './sessions/session-provider.js';
export { AtpOAuthService } from './sessions/oauth/atp-oauth.service.js';
export type { AuthorizeOptions, CallbackOptions, SignInResult, SignInUrl } from './sessions/oauth/sign-in.js';
export type { OAuthOptions, OAuthSessionStore, OAuthStateStore } from './sessions/oauth/oauth-options.js';
export {
  databaseOAuthStores,
  type DatabaseOAuthOptions,
  type DatabaseOAuthStores,
} from './sessions/oauth/database/database-oauth-stores.js';
export {
  encryptedStores,
  type EncryptedStoresOptions,
} from './sessions/oauth/encryption/encrypted-stores.js';
export type { EncryptionOptions } from './sessions/oauth/encryption/cipher.js';
export {
  redisRequestLock,
  type RedisLockClient,
  type RedisRequestLockOptions,
} from './sessions/oauth/redis-request-lock.js';
export type { DatabaseOAuthStorage, OAuthStores } from './sessions/oauth/oauth-options.js';
export { CacheOAuthSessionStore, CacheOAuthStateStore } from './sessions/oauth/cache-oauth.stores.js';
export { AppPasswordSessionProvider } from './sessions/app-password.provider.js';

// Answer HTTP requests
export { ParityInterceptor } from './http/parity.interceptor.js';
export { AwaitsSync } from './http/awaits-sync.decorator.js';
export {
  ParityExceptionFilter,
  type ReauthenticationRequired,
  type SignInFailed,
  type TemporarilyUnavailable,
} from './http/parity-exception.filter.js';
export type { ParityHttpOptions, SignInContext } from './http/http-options.js';
export { TapWebhookController } from './http/tap-webhook.controller.js';
export { OAuthMetadataController } from './http/oauth-metadata.controller.js';

// Listen
export { RecordPublished } from './events/record-published.event.js';
export { RecordUnpublished } from './events/record-unpublished.event.js';
export { SyncFailed } from './events/sync-failed.event.js';
export { PendingSyncCaptured } from './events/pending-sync-captured.event.js';
export { PendingSyncRetried } from './events/pending-sync-retried.event.js';
export { PendingSyncFailed } from './events/pending-sync-failed.event.js';
export { PendingSyncDiscarded } from './events/pending-sync-discarded.event.js';
export { SessionAuthenticated } from './events/session-authenticated.event.js';
export { SessionInvalidated } from './events/session-invalidated.event.js';

// Handle errors
export { ParityError, type ParityErrorContext } from './errors/parity.error.js';
export { AuthenticationError } from './errors/authentication.error.js';
export { OAuthSessionInvalidError } from './errors/oauth-session-invalid.error.js';
export { MissingScopeError } from './errors/missing-scope.error.js';
export { SessionStoreError } from './errors/session-store.error.js';
export { SignInError } from './errors/sign-in.error.js';
export { InvalidRecordError } from './errors/invalid-record.error.js';
export { RecordConflictError } from './errors/record-conflict.error.js';
export { PdsUnavailableError } from './errors/pds-unavailable.error.js';
export { RateLimitedError } from './errors/rate-limited.error.js';
export { RowRefusedError } from './errors/row-refused.error.js';
export { RetryLaterError } from './errors/retry-later.error.js';
export { DatabaseError } from './errors/database.error.js';
export { PendingCacheError } from './errors/pending-cache.error.js';
export { UnexpectedError } from './errors/unexpected.error.js';
export { LeaseLostError } from './errors/lease-lost.error.js';
export { MapperError } from './errors/mapper.error.js';
export { ParityOptionsError } from './errors/parity-options.error.js';
export { BulkWriteError } from './errors/bulk-write.error.js';
