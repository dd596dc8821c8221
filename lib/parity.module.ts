import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { PARITY_HTTP_OPTIONS } from './http/http-options.js';
import { ParityExceptionFilter } from './http/parity-exception.filter.js';
import { ParityInterceptor } from './http/parity.interceptor.js';
import { ParityBootstrap } from './parity.module-bootstrap.js';
import { ConfigurableModuleClass, type ParityModuleExtras } from './parity.module-definition.js';
import { maintenanceProviders } from './parity.module-maintenance.js';
import { parityProviders } from './parity.module-providers.js';
import { ParityService } from './parity.service.js';
import { PendingSyncManager } from './pending/pending-sync.manager.js';
import { MapperRegistry } from './records/mapper.registry.js';
import type { RecordMapper } from './records/record-mapper.js';
import { AtpOAuthService } from './sessions/oauth/atp-oauth.service.js';
import { SessionProvider } from './sessions/session-provider.js';
import { SyncService } from './sync/sync.service.js';

/** Keeps TypeORM entities and AT Protocol records in step. Global: import it once, with `forRoot` or `forRootAsync`. */
@Module({
  imports: [DiscoveryModule],
  providers: [
    ...parityProviders,
    ...maintenanceProviders,
    ParityService,
    ParityBootstrap,
    ParityInterceptor,
    ParityExceptionFilter,
  ],
  exports: [
    ParityService,
    SyncService,
    PendingSyncManager,
    MapperRegistry,
    SessionProvider,
    AtpOAuthService,
    ParityInterceptor,
    ParityExceptionFilter,
    PARITY_HTTP_OPTIONS,
  ],
})
export class ParityModule extends ConfigurableModuleClass {
  /** Provides mappers for a feature module. They can inject what is global and what `imports` export. */
  static forFeature(
    mappers: Type<RecordMapper>[],
    { imports = [] }: Pick<ParityModuleExtras, 'imports'> = {},
  ): DynamicModule {
    return { module: ParityFeatureModule, imports, providers: mappers, exports: mappers };
  }
}

@Module({})
class ParityFeatureModule {}
