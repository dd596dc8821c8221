import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { INestApplication } from '@nestjs/common';
import type { Account, LocalNetwork } from 'nestjs-parity/testing';
import { AppModule } from './app.module.js';
import { DevelopmentModule } from './development/development.module.js';
import { Settings } from './settings/settings.js';
import { ownHostOnly } from './web/own-host-only.js';

export interface AppOptions {
  /**
   * Accounts that `POST /dev/sign-in` signs in; without any, and where NODE_ENV is 'production', there is no /dev, and no
   * button for it.
   */
  readonly accounts?: readonly Account[];
  /** Whether the network ends with the application. */
  readonly stopsNetwork?: boolean;
}

/** The blog against this network, to be listened to at `port` of 127.0.0.1: the OAuth redirect comes back there. */
export async function createApp(
  network: LocalNetwork,
  port: number,
  { accounts: known = [], stopsNetwork = false }: AppOptions = {},
): Promise<INestApplication> {
  const accounts = isProduction() ? [] : known;
  const settings = new Settings({
    port,
    pdsUrl: network.pdsUrl,
    plcUrl: network.plcUrl,
    isDevelopment: accounts.length > 0,
  });
  const development = DevelopmentModule.forRoot({ network, accounts, stopsNetwork });
  const app = await NestFactory.create(AppModule.forRoot(settings, [development]), {
    logger: ['warn', 'error', 'fatal'],
    // A browser keeps its connections open; they would hold up the shutdown.
    forceCloseConnections: true,
    abortOnError: false,
  });
  app.use(ownHostOnly(settings));
  return app;
}

export const isProduction = (): boolean => process.env['NODE_ENV'] === 'production';
