import { Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { PostsModule } from '../posts/posts.module.js';
import { DEVELOPMENT, type DevelopmentOptions } from './development-options.js';
import { DevelopmentController } from './development.controller.js';

/** What exists only against a local network: the scripted sign-in, another app, and the network's end. */
@Module({})
export class DevelopmentModule implements OnApplicationShutdown {
  static forRoot(options: DevelopmentOptions): DynamicModule {
    return {
      module: DevelopmentModule,
      imports: [AuthModule, PostsModule],
      controllers: options.accounts.length > 0 ? [DevelopmentController] : [],
      providers: [{ provide: DEVELOPMENT, useValue: options }],
    };
  }

  constructor(@Inject(DEVELOPMENT) private readonly options: DevelopmentOptions) {}

  /** After the module's last writes, which need the PDS. */
  async onApplicationShutdown(): Promise<void> {
    if (this.options.stopsNetwork) await this.options.network.stop();
  }
}
