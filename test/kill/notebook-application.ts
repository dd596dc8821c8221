import { setTimeout as sleep } from 'node:timers/promises';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import type { INestApplicationContext, Provider } from '@nestjs/common';
import {
  parityEntities,
  ParityModule,
  type ParityModuleExtras,
  type ParityModuleOptions,
} from 'nestjs-parity';
import { notebook } from '../support/entities/notebook.js';

/** The other modules of an application take their time, and users go on meanwhile. */
const slowToStop = { onApplicationShutdown: () => sleep(200) };

/**
 * The notebook as a process of its own, on tables that exist; SIGTERM stops it as Nest stops applications.
 */
export async function notebookApplication(
  database: object,
  parity: ParityModuleOptions & ParityModuleExtras,
  providers: Provider[] = [],
): Promise<INestApplicationContext> {
  const app = await NestFactory.createApplicationContext(
    {
      module: class Notebook {},
      imports: [
        TypeOrmModule.forRoot({
          ...(database as TypeOrmModuleOptions),
          entities: [...notebook.entities, ...parityEntities],
          synchronize: false,
          retryAttempts: 0,
        }),
        EventEmitterModule.forRoot(),
        ParityModule.forRoot({
          pendingSyncs: { enabled: true, storage: 'database' },
          mappers: notebook.mappers,
          ...parity,
        }),
      ],
      providers: [...providers, { provide: 'slow to stop', useValue: slowToStop }],
    },
    { logger: ['warn', 'error'] },
  );
  return app.enableShutdownHooks();
}
