import { request } from 'node:http';
import { All, Controller } from '@nestjs/common';
import { OAuthSessionInvalidError } from 'nestjs-parity';
import { DID, HttpApps, platforms, type HttpApp } from './fixtures.js';

@Controller()
class Failing {
  @All('*')
  fail(): void {
    throw new OAuthSessionInvalidError('gone', { did: DID });
  }
}

const apps = new HttpApps();

/** `fetch` would tidy the path up, and sets some headers itself. */
function rawRequest({ url }: HttpApp, method: string, path: string, headers: Record<string, string>) {
  const { hostname, port } = new URL(url);
  return new Promise<string>((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers }, async (response) => {
      const { authorizeUrl } = JSON.parse(Buffer.concat(await response.toArray()).toString());
      resolve(new URL(authorizeUrl, url).searchParams.get('returnTo')!);
    });
    sent.on('error', reject).end();
  });
}

describe.each(platforms)('returnTo on $platform', ({ adapter }) => {
  const start = () => apps.start(adapter(), { controllers: [Failing], http: { signInUrl: '/login' } });

  it.each([
    ['a page', '/posts/1?page=2', '/posts/1?page=2'],
    ['another host', '//evil.example.com/x', '/'],
    ['another host by backslash', '/\\evil.example.com', '/'],
    ['another host by a dot', '/.//evil.example.com', '/'],
    ['a whole URL', 'http://evil.example.com/x', '/'],
    ['something endless', `/${'x'.repeat(3_000)}`, '/'],
  ])('of a GET is its own path: %s', async (_name, path, expected) => {
    const app = await start();
    const referer = `${app.url}/elsewhere`;
    // Fastify refuses some of these by itself, which is as good.
    const found = await rawRequest(app, 'GET', path, { referer }).catch(() => '/');
    expect(found).toBe(expected);
  });

  const hostOf = ({ url }: HttpApp): string => new URL(url).host;

  it.each<[string, (app: HttpApp) => Record<string, string>, string]>([
    ['from a page of ours', ({ url }) => ({ referer: `${url}/posts/new?draft=1` }), '/posts/new?draft=1'],
    [
      'by a browser that says so',
      ({ url }) => ({ referer: `${url}/a`, 'sec-fetch-site': 'same-origin' }),
      '/a',
    ],
    [
      'through a proxy that ends TLS',
      () => ({ referer: 'https://blog.example.com/a', host: 'Blog.example.com' }),
      '/a',
    ],
    ['without a referer', () => ({}), '/'],
    ['from another host', () => ({ referer: 'https://evil.example.com/logout' }), '/'],
    ['from another port', () => ({ referer: 'http://127.0.0.1:1/logout' }), '/'],
    ['from a sibling site', ({ url }) => ({ referer: `${url}/logout`, 'sec-fetch-site': 'same-site' }), '/'],
    ['from our host as a user name', (app) => ({ referer: `http://${hostOf(app)}@evil.example.com/x` }), '/'],
    ['from a path that is a host', ({ url }) => ({ referer: `${url}//evil.example.com` }), '/'],
    ['from what is no URL', () => ({ referer: '/posts' }), '/'],
  ])('of a form is its page: %s', async (_name, headers, expected) => {
    const app = await start();
    expect(await rawRequest(app, 'POST', '/save', headers(app))).toBe(expected);
  });
});
