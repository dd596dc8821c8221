import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ParityModule, type ParityModuleOptions } from 'nestjs-parity';
import {
  PARITY_HTTP_OPTIONS,
  resolveHttpOptions,
  type ParityHttpOptions,
} from '../../lib/http/http-options.js';
import { ParityExceptionFilter } from '../../lib/http/parity-exception.filter.js';
import { ParityInterceptor } from '../../lib/http/parity.interceptor.js';
import { AtpOAuthService } from '../../lib/sessions/oauth/atp-oauth.service.js';
import { Post, PostMapper, User } from '../support/entities/blog.js';
import { freshDataSource } from '../support/databases.js';
import { RecordingLogger } from '../support/parity-app.js';

export const DID = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz';
export const PAGE = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

export const platforms: { platform: string; adapter: () => AbstractHttpAdapter }[] = [
  { platform: 'Express', adapter: () => new ExpressAdapter() },
  { platform: 'Fastify', adapter: () => new FastifyAdapter() as unknown as AbstractHttpAdapter },
];

export interface HttpAppOptions extends Pick<ModuleMetadata, 'controllers' | 'providers' | 'imports'> {
  readonly http?: ParityHttpOptions;
  /** What the filter asks for an authorize URL; nothing: no OAuth. */
  readonly oauth?: { authorize(did: string, options?: { returnTo?: string }): Promise<URL> };
  readonly isGlobal?: boolean;
  /** What `main.ts` does before it listens. */
  readonly setUp?: (nest: INestApplication) => void;
}

/** Listening applications with the filter and the interceptor, stopped after each test. */
export class HttpApps {
  readonly log = new RecordingLogger();
  private readonly stops: (() => Promise<unknown>)[] = [];

  constructor() {
    afterEach(async () => {
      for (const stop of this.stops.splice(0).toReversed()) await stop();
    });
  }

  /** Without ParityModule: nothing is synced, and sign-ins are made up. */
  start(adapter: AbstractHttpAdapter, options: HttpAppOptions): Promise<HttpApp> {
    const { http, oauth, controllers = [], providers = [], imports = [] } = options;
    return this.listen(adapter, options, {
      controllers,
      imports,
      providers: [
        { provide: PARITY_HTTP_OPTIONS, useValue: resolveHttpOptions(http) },
        ...(oauth ? [{ provide: AtpOAuthService, useValue: oauth }] : []),
        ParityExceptionFilter,
        ParityInterceptor,
        ...providers,
      ],
    });
  }

  /** The whole module, on a database of its own. */
  async startWhole(
    adapter: AbstractHttpAdapter,
    parity: ParityModuleOptions,
    options: HttpAppOptions,
  ): Promise<HttpApp> {
    const database = await freshDataSource('sqlite', [User, Post]);
    this.stops.push(database.cleanup);
    const imports = [
      TypeOrmModule.forRoot({ ...database.options, retryAttempts: 0 }),
      EventEmitterModule.forRoot({ wildcard: true }),
      ParityModule.forRoot({ ...parity, mappers: [PostMapper] }),
      ...(options.imports ?? []),
    ];
    return this.start(adapter, { ...options, imports });
  }

  private async listen(
    adapter: AbstractHttpAdapter,
    { isGlobal = true, setUp }: HttpAppOptions,
    metadata: ModuleMetadata,
  ): Promise<HttpApp> {
    this.log.lines.length = 0;
    const module = await Test.createTestingModule(metadata).setLogger(this.log).compile();
    const nest = module.createNestApplication(adapter, { forceCloseConnections: true });
    this.stops.push(() => nest.close());
    if (isGlobal) {
      nest.useGlobalFilters(nest.get(ParityExceptionFilter));
      nest.useGlobalInterceptors(nest.get(ParityInterceptor));
    }
    setUp?.(nest);
    await nest.listen(0, '127.0.0.1');
    return new HttpApp(nest, (await nest.getUrl()).replace('[::1]', '127.0.0.1'));
  }
}

export class HttpApp {
  constructor(
    readonly nest: INestApplication,
    readonly url: string,
  ) {}

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + path, { redirect: 'manual', ...init });
  }

  async json(path: string, init?: RequestInit): Promise<{ status: number; body: unknown }> {
    const response = await this.fetch(path, init);
    return { status: response.status, body: await response.json() };
  }
}
