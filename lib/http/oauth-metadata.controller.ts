import { Controller, Get, NotFoundException, Optional } from '@nestjs/common';
import { AtpOAuthService } from '../sessions/oauth/atp-oauth.service.js';

/**
 * Serves what a PDS asks an OAuth client for: `GET /client-metadata.json`, whose URL has to be the `client_id`, and
 * `GET /jwks.json`, whose URL has to be the `jwks_uri` of a confidential client. List it in the `controllers` of one of
 * your modules. PDSes come without a session: let them pass your guards. For other paths, extend it:
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
export class OAuthMetadataController {
  constructor(@Optional() private readonly oauth?: AtpOAuthService) {}

  /** @throws NotFoundException without OAuth */
  @Get('client-metadata.json')
  clientMetadata(): AtpOAuthService['clientMetadata'] {
    return this.service().clientMetadata;
  }

  /** The public keys; none (`{ "keys": [] }`) for a public client. */
  @Get('jwks.json')
  jwks(): AtpOAuthService['jwks'] {
    return this.service().jwks;
  }

  private service(): AtpOAuthService {
    if (this.oauth) return this.oauth;
    throw new NotFoundException(
      'This application is no OAuth client: ParityModule.forRoot() was given no oauth option.',
    );
  }
}
