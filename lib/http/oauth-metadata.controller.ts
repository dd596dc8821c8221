import {
  Controller,
  Get,
  Inject,
  NotFoundException,
  Optional,
  Version,
  VERSION_NEUTRAL,
  type OnModuleInit,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { AtpOAuthService } from '../sessions/oauth/atp-oauth.service.js';

/**
 * Serves the documents of an OAuth client: `GET /client-metadata.json`, whose URL has to be the `client_id`,
 * and `GET /jwks.json`, whose URL has to be the `jwks_uri` of a confidential client.
 *
 * - List it in the `controllers` of one of your modules.
 * - PDSes come without a session: let them pass your guards.
 * - A PDS asks at the `client_id` and the `jwks_uri`. Where a global prefix or a version moves the routes
 *   elsewhere, both are also served at the paths of those URLs.
 *
 * For other paths, extend it:
 *
 * ```ts
 * @Controller()
 * class OAuthController extends OAuthMetadataController {
 *   @Get('oauth-client-metadata.json') override clientMetadata() { return super.clientMetadata(); }
 * }
 * ```
 *
 * See https://atproto.com/specs/oauth#clients.
 */
@Controller()
export class OAuthMetadataController implements OnModuleInit {
  @Optional() @Inject(HttpAdapterHost) private readonly host?: HttpAdapterHost;

  constructor(@Optional() private readonly oauth?: AtpOAuthService) {}

  /**
   * Adds the routes behind those of the application, which exist by now, and before the one that answers 404.
   */
  onModuleInit(): void {
    if (!this.oauth) return;
    const { client_id: id, jwks_uri: keys } = this.oauth.clientMetadata;
    this.serve(id, () => this.clientMetadata());
    this.serve(keys, () => this.jwks());
  }

  /** @throws NotFoundException without OAuth */
  @Get('client-metadata.json')
  @Version(VERSION_NEUTRAL)
  clientMetadata(): AtpOAuthService['clientMetadata'] {
    return this.service().clientMetadata;
  }

  /** The public keys; an empty list (`{ "keys": [] }`) for a public client. */
  @Get('jwks.json')
  @Version(VERSION_NEUTRAL)
  jwks(): AtpOAuthService['jwks'] {
    return this.service().jwks;
  }

  private serve(url: string | undefined, document: () => object): void {
    const adapter = this.host?.httpAdapter;
    const path = url === undefined || !URL.canParse(url) ? '/' : new URL(url).pathname;
    // A loopback client has no document to serve.
    if (!adapter || path === '/') return;
    try {
      adapter.get(path, (_request: unknown, response: unknown) => {
        adapter.setHeader(response, 'Content-Type', 'application/json; charset=utf-8');
        return adapter.reply(response, document(), 200);
      });
    } catch (error) {
      // Fastify allows one route for a path, and the application has one.
      if ((error as { code?: string }).code !== 'FST_ERR_DUPLICATED_ROUTE') throw error;
    }
  }

  private service(): AtpOAuthService {
    if (this.oauth) return this.oauth;
    throw new NotFoundException(
      'This application is no OAuth client: ParityModule.forRoot() was given no oauth option.',
    );
  }
}
