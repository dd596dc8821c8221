import { Module, Optional, type DynamicModule, type Type } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { ParityOptionsError } from './errors/parity-options.error.js';
import { PARITY_HTTP_OPTIONS } from './http/http-options.js';
import { ParityExceptionFilter } from './http/parity-exception.filter.js';
import { ParityInterceptor } from './http/parity.interceptor.js';
import { checkNames } from './model/option-checks.js';
import { ParityBootstrap } from './parity.module-bootstrap.js';
import {
  checkAsyncOptions,
  checkMappers,
  checkRootOptions,
  ConfigurableModuleClass,
  type ASYNC_OPTIONS_TYPE,
  type OPTIONS_TYPE,
  type ParityModuleExtras,
} from './parity.module-definition.js';
import { maintenanceProviders } from './parity.module-maintenance.js';
import { parityProviders } from './parity.module-providers.js';
import { ParityService } from './parity.service.js';
import { InboundService } from './inbound/inbound.service.js';
import { PendingSyncManager } from './maintenance/pending-sync.manager.js';
import { MapperRegistry } from './records/mapper.registry.js';
import type { RecordMapper } from './records/record-mapper.js';
import { AtpOAuthService } from './sessions/oauth/atp-oauth.service.js';
import { SessionProvider } from './sessions/session-provider.js';
import { SyncService } from './sync/sync.service.js';

/**
 * Keeps TypeORM entities and AT Protocol records in sync. It is global: import it once, with `forRoot` or
 * `forRootAsync`. A further bare import in a feature module adds nothing.
 */
@Module({})
export class ParityModule extends ConfigurableModuleClass {
  /** @param registry that of the configured module, which is global */
  constructor(@Optional() registry?: MapperRegistry) {
    super();
    if (registry) return;
    throw new ParityOptionsError(
      'ParityModule is imported without options, so nothing would be published: import ParityModule.forRoot({ … }) or ' +
        'forRootAsync({ … }) in the root module. Feature modules need no import of their own.',
    );
  }

  static override forRoot(options: typeof OPTIONS_TYPE): DynamicModule {
    checkRootOptions(options);
    return withParts(super.forRoot(options));
  }

  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    checkAsyncOptions(options);
    return withParts(super.forRootAsync(options));
  }

  /** Provides mappers for a feature module. They can inject global providers, and what `imports` export. */
  static forFeature(
    mappers: Type<RecordMapper<object, object>>[],
    extras: Pick<ParityModuleExtras, 'imports'> = {},
  ): DynamicModule {
    checkMappers('What ParityModule.forFeature() got', mappers);
    checkNames<typeof extras>('ParityModule.forFeature()', extras, { imports: true });
    const { imports = [] } = extras;
    return { module: ParityFeatureModule, imports, providers: mappers, exports: mappers };
  }
}

/**
 * Not in the decorator: to Nest, a bare `ParityModule` is a module of its own, and would create all of it
 * again.
 */
const withParts = (definition: DynamicModule): DynamicModule => ({
  ...definition,
  imports: [DiscoveryModule, ...(definition.imports ?? [])],
  providers: [
    ...(definition.providers ?? []),
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
    InboundService,
    SessionProvider,
    AtpOAuthService,
    ParityInterceptor,
    ParityExceptionFilter,
    PARITY_HTTP_OPTIONS,
  ],
});

@Module({})
class ParityFeatureModule {}
