import {
  ConfigurableModuleBuilder,
  type DynamicModule,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { EarlyWrites } from './changes/early-writes.js';
import { ParityOptionsError } from './errors/parity-options.error.js';
import type { ParityHttpOptions } from './http/http-options.js';
import type { InboundOptions } from './inbound/inbound-options.js';
import { checkNames, names, wrong, type OptionNames } from './model/option-checks.js';
import { PARITY_OPTION_NAMES, type ParityOptions } from './model/options.js';
import { neededTables } from './parity.module-tables.js';
import { LISTED_MAPPERS, PENDING_DATA_SOURCE } from './parity.module-tokens.js';
import type { RecordMapper } from './records/record-mapper.js';
import { checkOAuthNames, type OAuthOptions } from './sessions/oauth/oauth-options.js';
import type { SessionProvider } from './sessions/session-provider.js';

export interface ParityModuleOptions extends ParityOptions {
  /** The application as an OAuth client. Makes `AtpOAuthService` injectable, and uses its sessions. */
  readonly oauth?: OAuthOptions;
  /** How records that change elsewhere reach the entities; see `RecordMapper.fromRecord`. */
  readonly inbound?: InboundOptions;
  /** How a request is answered whose account has to sign in again; see `ParityExceptionFilter`. */
  readonly http?: ParityHttpOptions;
  /**
   * Where sessions come from, instead of `oauth`: a class (instantiated with injection), an instance, or an
   * existing provider.
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
  /** Mappers that no module provides. They can inject global providers, and what `imports` export. */
  mappers?: Type<RecordMapper<object, object>>[];
  imports?: NonNullable<ModuleMetadata['imports']>;
  /**
   * As the option of the same name. With `forRootAsync` and database storage they are named here, because
   * Nest has to know what to wait for.
   */
  dataSources?: readonly string[];
}

// Extras with a default here are not part of the injected options.
export const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: GIVEN_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<ParityModuleOptions>({ moduleName: 'Parity' })
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createParityOptions')
  .setExtras<ParityModuleExtras>({ mappers: [], imports: [] }, withExtras)
  .build();

type AsyncOptions = typeof ASYNC_OPTIONS_TYPE;

const EXTRAS: OptionNames<ParityModuleExtras> = { mappers: true, imports: true, dataSources: true };

const OPTIONS: OptionNames<ParityModuleOptions> = {
  ...PARITY_OPTION_NAMES,
  oauth: true,
  sessions: true,
  http: true,
  inbound: true,
};

/** @throws ParityOptionsError for a value that is no options, or has an unknown name */
export function checkOptions(given: unknown): ParityModuleOptions {
  if (given === undefined) {
    throw new ParityOptionsError(
      'The factory of ParityModule.forRootAsync() gave no options: return an object with at least oauth or sessions.',
    );
  }
  for (const name of ['mappers', 'imports'].filter((extra) => Object.hasOwn(Object(given), extra))) {
    throw new ParityOptionsError(
      `The factory of ParityModule.forRootAsync() gave ${name}, which Nest has to know before: name them beside useFactory.`,
    );
  }
  checkNames<ParityModuleOptions>('ParityModule', given, OPTIONS);
  const options = given as ParityModuleOptions;
  if (options.oauth !== undefined) checkOAuthNames(options.oauth);
  return options;
}

/** @throws ParityOptionsError for a value that is no options */
export function checkRootOptions(given: unknown): void {
  if (typeof given === 'object' && given !== null) {
    checkNames('ParityModule.forRoot()', given, { ...OPTIONS, ...EXTRAS });
    checkExtras(given);
    return;
  }
  throw new ParityOptionsError(
    `ParityModule.forRoot() got ${given === undefined ? 'no options' : String(given)}. Give it at least where sessions come from: ` +
      'forRoot({ oauth: { clientMetadata, … } }), or forRoot({ sessions: … }).',
  );
}

/** @throws ParityOptionsError for a value that is no options, or does not say where the options come from */
export function checkAsyncOptions(given: AsyncOptions | undefined): void {
  const { useFactory, useClass, useExisting } = given ?? {};
  if (!useFactory && !useClass && !useExisting) {
    throw new ParityOptionsError(
      'ParityModule.forRootAsync() is not told where its options come from: give it useFactory, useClass or useExisting.',
    );
  }
  checkNames<AsyncOptions>('ParityModule.forRootAsync()', given, {
    ...EXTRAS,
    useFactory: true,
    useClass: true,
    useExisting: true,
    inject: true,
    provideInjectionTokensFrom: true,
  });
  checkExtras(given ?? {});
}

function checkExtras({ mappers, imports, dataSources }: ParityModuleExtras): void {
  if (mappers !== undefined) checkMappers('mappers', mappers);
  if (imports !== undefined && !Array.isArray(imports)) throw wrong('imports', imports, 'a list of modules');
  if (dataSources !== undefined) names('dataSources', dataSources);
}

/** @throws ParityOptionsError for a value that is no list of classes */
export function checkMappers(option: string, value: unknown): void {
  if (Array.isArray(value) && value.every((item) => typeof item === 'function')) return;
  throw wrong(option, value, 'a list of mapper classes, such as [PostMapper]');
}

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
