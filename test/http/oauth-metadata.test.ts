import { Controller, Get, VersioningType, type INestApplication } from '@nestjs/common';
import { buildAtprotoLoopbackClientMetadata, JoseKey } from '@atproto/oauth-client-node';
import { AppPasswordSessionProvider, type OAuthOptions } from 'nestjs-parity';
import { OAuthMetadataController } from '../../lib/http/oauth-metadata.controller.js';
import { HttpApps, platforms } from './fixtures.js';

@Controller()
class ElsewhereController extends OAuthMetadataController {
  @Get('oauth/metadata.json')
  override clientMetadata() {
    return super.clientMetadata();
  }
}

const apps = new HttpApps();
const controllers = [OAuthMetadataController];
const site = 'https://blog.example.com';

async function confidential(): Promise<OAuthOptions> {
  return {
    clientMetadata: {
      client_id: `${site}/client-metadata.json`,
      client_uri: site,
      redirect_uris: [`${site}/oauth/callback`],
      scope: 'atproto',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      dpop_bound_access_tokens: true,
      jwks_uri: `${site}/jwks.json`,
    },
    keyset: [await JoseKey.generate(['ES256'], 'key-1')],
  };
}

describe.each(platforms)('OAuthMetadataController on $platform', ({ adapter }) => {
  it('serves the metadata and the public keys of a confidential client', async () => {
    const app = await apps.startWhole(adapter(), { oauth: await confidential() }, { controllers });
    const response = await app.fetch('/client-metadata.json');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await response.json()).toMatchObject({
      client_id: `${site}/client-metadata.json`,
      jwks_uri: `${site}/jwks.json`,
    });
    const { body } = await app.json('/jwks.json');
    expect(body).toEqual({ keys: [expect.objectContaining({ kid: 'key-1', kty: 'EC' })] });
    expect(JSON.stringify(body)).not.toContain('"d"');
  });

  it('serves those of a public client on this machine, at other paths as well', async () => {
    const clientMetadata = buildAtprotoLoopbackClientMetadata({
      scope: 'atproto',
      redirect_uris: ['http://127.0.0.1:3000/oauth/callback'],
    });
    const oauth = { clientMetadata, allowHttp: true, handleResolver: 'http://localhost:1' };
    const app = await apps.startWhole(adapter(), { oauth }, { controllers: [ElsewhereController] });
    expect((await app.json('/oauth/metadata.json')).body).toMatchObject({
      client_id: expect.stringMatching(/^http:\/\/localhost/),
    });
    expect((await app.json('/jwks.json')).body).toEqual({ keys: [] });
    expect((await app.fetch('/client-metadata.json')).status).toBe(404);
  });

  it.each<[string, (nest: INestApplication) => void]>([
    ['a global prefix', (nest) => nest.setGlobalPrefix('api')],
    [
      'versions in the path',
      (nest) => nest.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }),
    ],
    [
      'versions in a header',
      (nest) =>
        nest.enableVersioning({ type: VersioningType.HEADER, header: 'X-Version', defaultVersion: '1' }),
    ],
    [
      'a prefix and versions',
      (nest) =>
        nest.setGlobalPrefix('api').enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }),
    ],
  ])('serves them where the PDS asks, whatever %s does to routes', async (_what, setUp) => {
    const oauth = await confidential();
    const served = { client_id: `${site}/client-metadata.json` };
    for (const controller of [OAuthMetadataController, ElsewhereController]) {
      const app = await apps.startWhole(adapter(), { oauth }, { controllers: [controller], setUp });
      const response = await app.fetch('/client-metadata.json');
      expect([response.status, await response.json()]).toEqual([200, expect.objectContaining(served)]);
      expect(response.headers.get('content-type')).toMatch(/^application\/json/);
      expect((await app.json('/jwks.json')).body).toEqual({
        keys: [expect.objectContaining({ kid: 'key-1' })],
      });
      expect((await app.fetch('/other.json')).status).toBe(404);
    }
  });

  it('serves them at the paths of their own URLs, past a guard of the application', async () => {
    const { clientMetadata, keyset } = await confidential();
    const own = { client_id: `${site}/apps/blog/client.json`, jwks_uri: `${site}/apps/blog/keys.json` };
    const app = await apps.startWhole(
      adapter(),
      { oauth: { clientMetadata: { ...clientMetadata, ...own } as typeof clientMetadata, keyset: keyset! } },
      { controllers, setUp: (nest) => nest.useGlobalGuards({ canActivate: () => false }) },
    );
    expect((await app.json('/apps/blog/client.json')).body).toMatchObject(own);
    expect((await app.json('/apps/blog/keys.json')).body).toMatchObject({ keys: [{ kid: 'key-1' }] });
  });

  it('says that there is no OAuth', async () => {
    const sessions = new AppPasswordSessionProvider({ service: 'http://localhost:1', accounts: [] });
    const app = await apps.startWhole(adapter(), { sessions }, { controllers });
    for (const path of ['/client-metadata.json', '/jwks.json']) {
      expect(await app.json(path)).toMatchObject({
        status: 404,
        body: { message: expect.stringMatching(/no OAuth client.*no oauth option/) },
      });
    }
  });
});
