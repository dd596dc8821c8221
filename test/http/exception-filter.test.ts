import {
  Controller,
  ForbiddenException,
  Get,
  Header,
  Post,
  Res,
  UseFilters,
  type ArgumentsHost,
} from '@nestjs/common';
import { APP_FILTER, type HttpAdapterHost } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { jest } from '@jest/globals';
import {
  AtpOAuthService,
  AuthenticationError,
  MissingScopeError,
  OAuthSessionInvalidError,
  PdsUnavailableError,
  SessionStoreError,
  SignInError,
} from 'nestjs-parity';
import { resolveHttpOptions, type ParityHttpOptions } from '../../lib/http/http-options.js';
import { ParityExceptionFilter } from '../../lib/http/parity-exception.filter.js';
import { signInUrl } from '../../lib/http/sign-in-url.js';
import { DID, HttpApps, PAGE, platforms } from './fixtures.js';

@Controller()
class Failing {
  @Get('gone')
  gone(): void {
    throw new OAuthSessionInvalidError('gone', { did: DID, entityName: 'Post', cause: new Error('secret') });
  }

  @Post('gone')
  @Header('Content-Type', 'text/csv')
  goneAtPost(): void {
    this.gone();
  }

  @Get('scope')
  scope(): void {
    throw new MissingScopeError('repo:app.bsky.feed.post', undefined, { did: DID });
  }

  @Get('nobody')
  nobody(): void {
    throw new AuthenticationError('nobody knows whose');
  }

  @Get('refused')
  refused(): void {
    throw new SignInError('access-denied', 'The user did not allow the sign-in.', {
      cause: new Error('secret'),
    });
  }

  @Get('outage')
  outage(): void {
    throw new PdsUnavailableError('secret.internal does not answer', { cause: new Error('secret') });
  }

  @Get('store')
  store(): void {
    throw new SessionStoreError('The session store failed (RedisError).');
  }

  @Get('forbidden')
  forbidden(): void {
    throw new ForbiddenException('not you');
  }

  @Get('begun')
  begun(@Res() response: ServerResponse & { raw?: ServerResponse }): void {
    (response.raw ?? response).write('begun');
    this.gone();
  }
}

@Controller('bound')
@UseFilters(ParityExceptionFilter)
class Bound extends Failing {}

const apps = new HttpApps();
const authorized: unknown[] = [];
const oauth = {
  authorize: async (did: string, { returnTo }: { returnTo?: string } = {}) => {
    authorized.push({ did, returnTo });
    return new URL('https://pds.example.com/oauth/authorize?request_uri=urn:1');
  },
};

beforeEach(() => authorized.splice(0));

describe.each(platforms)('ParityExceptionFilter on $platform', ({ adapter }) => {
  const start = (http: ParityHttpOptions = {}, how: { oauth?: typeof oauth } = { oauth }) =>
    apps.start(adapter(), { controllers: [Failing, Bound], http, ...how });

  it('answers programs with 401 and where to sign in', async () => {
    const app = await start();
    const response = await app.fetch('/gone?page=2', { headers: { accept: 'application/json' } });

    expect(response.status).toBe(401);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toEqual({
      error: 'reauthentication_required',
      did: DID,
      authorizeUrl: 'https://pds.example.com/oauth/authorize?request_uri=urn:1',
      saved: true,
    });
    expect(authorized).toEqual([{ did: DID, returnTo: '/gone?page=2' }]);
  });

  it('redirects people to the sign-in, after a form as well', async () => {
    const app = await start();
    for (const init of [
      { headers: { accept: PAGE } },
      { method: 'POST', headers: { accept: PAGE }, body: new URLSearchParams({ content: 'Hello' }) },
    ]) {
      const response = await app.fetch('/gone', init);
      expect(response.status).toBe(303);
      expect(response.headers.get('location')).toBe(
        'https://pds.example.com/oauth/authorize?request_uri=urn:1',
      );
      expect(await response.text()).toBe('');
    }
  });

  it.each([
    ['no Accept', {}, 401],
    ['anything', { accept: '*/*' }, 401],
    ['axios', { accept: 'application/json, text/plain, */*' }, 401],
    ['a tie', { accept: 'text/html, application/json' }, 401],
    ['rather JSON', { accept: 'text/html;q=0.5, application/ld+json' }, 401],
    ['rather HTML', { accept: 'application/json;q=0.5, text/html' }, 303],
    ['no HTML', { accept: 'text/html;q=0, */*' }, 401],
    ['an XHR', { accept: PAGE, 'x-requested-with': 'XMLHttpRequest' }, 401],
    ['events', { accept: 'text/event-stream' }, 401],
  ])('tells programs from people: %s', async (_name, headers, status) => {
    const app = await start();
    expect((await app.fetch('/gone', { headers: headers as Record<string, string> })).status).toBe(status);
  });

  it('takes who sends JSON for a program, and overrides the type of what the handler wanted to answer', async () => {
    const app = await start();
    const response = await app.fetch('/gone', {
      method: 'POST',
      headers: { accept: PAGE, 'content-type': 'application/json; charset=utf-8' },
      body: '{}',
    });
    expect(response.status).toBe(401);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await response.json()).toMatchObject({ error: 'reauthentication_required' });
    expect(apps.log.lines).toEqual([]);
  });

  it('says which scope is missing', async () => {
    const app = await start();
    expect(await app.json('/scope')).toEqual({
      status: 401,
      body: expect.objectContaining({ error: 'reauthentication_required', scope: 'repo:app.bsky.feed.post' }),
    });
  });

  it('obeys `respond`', async () => {
    const json = await start({ respond: 'json' });
    expect((await json.fetch('/gone', { headers: { accept: PAGE } })).status).toBe(401);
    const redirect = await start({ respond: 'redirect' });
    expect((await redirect.fetch('/gone', { headers: { accept: 'application/json' } })).status).toBe(303);
  });

  it('sends users to a page of the application, with did and returnTo', async () => {
    const app = await start({ signInUrl: '/login?theme=dark' });
    const query = `did=${encodeURIComponent(DID)}&returnTo=%2Fgone%3Fa%3D1%26b%3D2`;
    const response = await app.fetch('/gone?a=1&b=2', { headers: { accept: PAGE } });
    expect(response.headers.get('location')).toBe(`/login?theme=dark&${query}`);
    expect((await app.json('/gone?a=1&b=2')).body).toMatchObject({
      authorizeUrl: `/login?theme=dark&${query}`,
    });
    expect(authorized).toEqual([]);
  });

  it('sends users where a function says, in whatever characters', async () => {
    const app = await start({
      signInUrl: async ({ did, returnTo, error }) => `/sign-in/ü?${did}&${returnTo}&${error.code}\r\nx: y`,
    });
    const response = await app.fetch('/gone', { headers: { accept: PAGE } });
    expect(response.status).toBe(303);
    expect(response.headers.get('location')).toBe(`/sign-in/%C3%BC?${DID}&/gone&OAUTH_SESSION_INVALIDx:%20y`);
    expect(response.headers.get('x')).toBeNull();
  });

  it.each<[string, ParityHttpOptions, { oauth?: typeof oauth }, string]>([
    ['there is no OAuth', {}, {}, '/gone'],
    ['nobody knows whose session it is', {}, { oauth }, '/nobody'],
    ['the PDS is down', {}, { oauth: { authorize: () => Promise.reject(new Error('down')) } }, '/gone'],
    ['the function fails', { signInUrl: () => Promise.reject(new Error('no')) }, { oauth }, '/gone'],
    [
      'the function throws',
      {
        signInUrl: () => {
          throw new Error('no');
        },
      },
      { oauth },
      '/gone',
    ],
  ])('has no URL when %s', async (_name, http, how, path) => {
    const app = await start(http, how);
    expect(await app.json(path)).toEqual({
      status: 401,
      body: {
        error: 'reauthentication_required',
        did: path === '/nobody' ? null : DID,
        authorizeUrl: null,
        saved: true,
      },
    });
    const page = await app.fetch(path, { headers: { accept: PAGE } });
    expect(page.status).toBe(401);
    expect(page.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await page.text()).toMatch(/saved.*sign in again/);
  });

  it.each([
    [
      '/refused',
      400,
      { error: 'sign_in_failed', reason: 'access-denied' },
      'The user did not allow the sign-in.',
    ],
    [
      '/outage',
      503,
      { error: 'temporarily_unavailable' },
      'This is not possible at the moment. Try again later.',
    ],
    [
      '/store',
      503,
      { error: 'temporarily_unavailable' },
      'This is not possible at the moment. Try again later.',
    ],
  ])(
    'says why a sign-in failed, and nothing of what lies behind: %s',
    async (path, status, body, message) => {
      const app = await start();
      expect(await app.json(path)).toEqual({ status, body: { ...body, message } });
      const page = await app.fetch(path, { headers: { accept: PAGE } });
      expect(page.status).toBe(status);
      expect(page.headers.get('content-type')).toBe('text/plain; charset=utf-8');
      expect(page.headers.get('cache-control')).toBe('no-store');
      expect(await page.text()).toBe(`${message}\n`);
      const lines = path === '/store' ? 2 : 0;
      expect(apps.log.lines).toEqual(Array(lines).fill(expect.stringContaining('failed (RedisError)')));
    },
  );

  it('leaves other errors alone', async () => {
    const app = await start();
    expect(await app.json('/forbidden')).toMatchObject({ status: 403, body: { message: 'not you' } });
  });

  it('only ends an answer that had begun', async () => {
    const app = await start();
    const response = await app.fetch('/begun');
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('begun');
    expect(authorized).toEqual([]);
  });

  it('works bound to a controller, and as APP_FILTER', async () => {
    const bound = await apps.start(adapter(), { controllers: [Failing, Bound], oauth, isGlobal: false });
    expect((await bound.fetch('/gone')).status).toBe(500);
    expect((await bound.fetch('/bound/gone')).status).toBe(401);
    const providers = [{ provide: APP_FILTER, useClass: ParityExceptionFilter }];
    const app = await apps.start(adapter(), { controllers: [Failing], oauth, providers, isGlobal: false });
    expect((await app.fetch('/gone')).status).toBe(401);
  });
});

describe('ParityExceptionFilter', () => {
  it.each(['graphql', 'rpc', 'ws'])('leaves %s to Nest', (type) => {
    const filter = new ParityExceptionFilter({} as HttpAdapterHost);
    const context = { getType: () => type } as unknown as ArgumentsHost;
    expect(filter.catch(new AuthenticationError('gone'), context)).toBeUndefined();
  });

  it('does not wait long for a PDS that does not answer', async () => {
    void jest.useFakeTimers();
    try {
      const silent = { authorize: () => new Promise<never>(() => undefined) } as unknown as AtpOAuthService;
      const error = new AuthenticationError('gone', { did: DID });
      const answer = signInUrl(undefined, silent, { did: DID, returnTo: '/', error }).catch(String);
      await jest.advanceTimersByTimeAsync(5_000);
      expect(await answer).toBe('Error: no answer in 5000 ms');
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  it.each([
    [{ respond: 'xml' }, /http\.respond is 'xml'; it takes/],
    [{ signInUrl: 'login' }, /http\.signInUrl is 'login'; it takes a path/],
    [{ signInUrl: '//elsewhere.example.com' }, /http\.signInUrl/],
    [{ signInUrl: 'javascript:alert(1)' }, /http\.signInUrl/],
    [{ signInUrl: 1 }, /http\.signInUrl is 1/],
  ])('refuses the options %j', (options, message) => {
    expect(() => resolveHttpOptions(options as ParityHttpOptions)).toThrow(message);
  });
});
