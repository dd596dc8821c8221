import { ConfigurableModuleBuilder, type ModuleMetadata, type Type } from '@nestjs/common';
import type { ParityHttpOptions } from './http/http-options.js';
import type { ParityOptions } from './model/options.js';
import type { RecordMapper } from './records/record-mapper.js';
import type { OAuthOptions } from './sessions/oauth/oauth-options.js';
import type { SessionProvider } from './sessions/session-provider.js';

export interface ParityModuleOptions extends ParityOptions {
  /** The application as an OAuth client; makes `AtpOAuthService` injectable and its sessions the ones that are used. */
  readonly oauth?: OAuthOptions;
  /** How a request is answered whose account has to sign in again; see `ParityExceptionFilter`. */
  readonly http?: ParityHttpOptions;
  /** Where sessions come from, instead of `oauth`: a class (instantiated with injection), an instance, or a provider that exists. */
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
}

/** Mapper classes that were listed, as opposed to found by their decorator. */
export const LISTED_MAPPERS = Symbol('parity:listed-mappers');

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN: PARITY_OPTIONS } =
  new ConfigurableModuleBuilder<ParityModuleOptions>({ moduleName: 'Parity' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createParityOptions')
    .setExtras<ParityModuleExtras>({}, (definition, { mappers = [], imports = [] }) => ({
      ...definition,
      global: true,
      imports: [...new Set([...(definition.imports ?? []), ...imports])],
      providers: [
        ...(definition.providers ?? []),
        ...mappers,
        { provide: LISTED_MAPPERS, useValue: mappers },
      ],
    }))
    .build();
