import {
  ConfigurableModuleBuilder,
  type DynamicModule,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { EarlyWrites } from './changes/early-writes.js';
import type { ParityHttpOptions } from './http/http-options.js';
import type { ParityOptions } from './model/options.js';
import { neededTables } from './parity.module-tables.js';
import type { RecordMapper } from './records/record-mapper.js';
import type { OAuthOptions } from './sessions/oauth/oauth-options.js';
import type { SessionProvider } from './sessions/session-provider.js';

export interface ParityModuleOptions extends ParityOptions {
  /**
   * The application as an OAuth client; makes `AtpOAuthService` injectable and its sessions the ones that are
   * used.
   */
  readonly oauth?: OAuthOptions;
  /** How a request is answered whose account has to sign in again; see `ParityExceptionFilter`. */
  readonly http?: ParityHttpOptions;
  /**
   * Where sessions come from, instead of `oauth`: a class (instantiated with injection), an instance, or a
   * provider that exists.
   */
  readonly sessions?:
    | Type<SessionProvider>
    | SessionProvider
    | { readonly useExisting: Type<SessionProvider> | string | symbol };
}

/** What `forRootAsync({ useClass })` and `useExisting` take. */
export interface ParityOptionsFactory {
  createParityOptions(): ParityModuleOptions | Promise<ParityModuleOptions>;
}

export interface ParityModuleExtras {
  /** Mappers that no module provides; they can inject what is global and what `imports` export. */
  mappers?: Type<RecordMapper>[];
  imports?: NonNullable<ModuleMetadata['imports']>;
  /**
   * As the option of the same name. With `forRootAsync` and database storage they are named here, because
   * Nest has to know what to wait for.
   */
  dataSources?: readonly string[];
}

/** Mapper classes that were listed, as opposed to found by their decorator. */
export const LISTED_MAPPERS = Symbol('parity:listed-mappers');

/**
 * The DataSource that keeps pending syncs, with storage 'database'; undefined if there is none of that name.
 */
export const PENDING_DATA_SOURCE = Symbol('parity:pending-data-source');

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN: PARITY_OPTIONS } =
  new ConfigurableModuleBuilder<ParityModuleOptions>({ moduleName: 'Parity' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createParityOptions')
    .setExtras<ParityModuleExtras>({}, withExtras)
    .build();

function withExtras(
  definition: DynamicModule,
  {
    mappers = [],
    imports = [],
    dataSources = ['default'],
    ...options
  }: ParityModuleExtras & ParityModuleOptions,
): DynamicModule {
  const [name = 'default'] = dataSources;
  const { storage = process.env['PARITY_PENDING_SYNCS_STORAGE'] } = options.pendingSyncs ?? {};
  const tables = neededTables(storage === 'database', options.oauth?.storage !== undefined);
  return {
    ...definition,
    global: true,
    imports: [
      ...new Set([...(definition.imports ?? []), ...imports]),
      // For DataSources with autoLoadEntities.
      ...(tables.length > 0 ? [TypeOrmModule.forFeature(tables, name)] : []),
    ],
    providers: [
      ...(definition.providers ?? []),
      ...mappers,
      { provide: LISTED_MAPPERS, useValue: mappers },
      {
        provide: PENDING_DATA_SOURCE,
        inject: [{ token: getDataSourceToken(name), optional: true }],
        useFactory: (dataSource?: DataSource) => dataSource,
      },
      {
        provide: EarlyWrites,
        inject: dataSources.map((each) => ({ token: getDataSourceToken(each), optional: true })),
        useFactory: (...found: (DataSource | undefined)[]) =>
          new EarlyWrites(found.filter((dataSource) => dataSource !== undefined)),
      },
    ],
  };
}
