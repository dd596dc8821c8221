import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { TypeOrmModule } from '@nestjs/typeorm';
import { firehose, parityEntities, ParityExceptionFilter, ParityModule } from 'nestjs-parity';
import { AuthModule } from './auth/auth.module.js';
import { SessionGuard } from './auth/session.guard.js';
import { SignInErrorFilter } from './auth/sign-in-error.filter.js';
import { PostsModule } from './posts/posts.module.js';
import { Settings } from './settings/settings.js';
import { SettingsModule } from './settings/settings.module.js';
import { UsersModule } from './users/users.module.js';
import { AnswerInterceptor } from './web/answer.interceptor.js';
import { ErrorFilter } from './web/error.filter.js';
import { SameOriginGuard } from './web/same-origin.guard.js';

@Module({})
export class AppModule {
  static forRoot(settings: Settings, more: DynamicModule[] = []): DynamicModule {
    return {
      module: AppModule,
      imports: [
        SettingsModule.forRoot(settings),
        TypeOrmModule.forRoot({
          type: 'better-sqlite3',
          database: settings.database,
          entities: [...parityEntities],
          autoLoadEntities: true,
          synchronize: true,
        }),
        EventEmitterModule.forRoot({ wildcard: true }),
        ParityModule.forRootAsync({
          inject: [Settings],
          useFactory: (injected: Settings) => ({
            oauth: injected.oauth,
            pendingSyncs: { enabled: true, storage: 'database', autoRetry: true },
            // Posts that are written elsewhere come back: those of before the sign-in, and those of from now on.
            inbound: { importOnSignIn: 'background', source: firehose({ service: injected.pdsUrl }) },
            http: {
              // Not straight to the PDS, as by default: our sign-in binds itself to the browser with a cookie.
              signInUrl: ({ returnTo, error }) =>
                `/login?${new URLSearchParams({ reason: error.code, returnTo })}`,
            },
          }),
        }),
        UsersModule,
        AuthModule,
        PostsModule,
        ...more,
      ],
      providers: [
        { provide: APP_GUARD, useClass: SameOriginGuard },
        { provide: APP_GUARD, useClass: SessionGuard },
        { provide: APP_INTERCEPTOR, useClass: AnswerInterceptor },
        // Nest asks the last one first.
        { provide: APP_FILTER, useClass: ErrorFilter },
        { provide: APP_FILTER, useExisting: ParityExceptionFilter },
        { provide: APP_FILTER, useClass: SignInErrorFilter },
      ],
    };
  }
}
