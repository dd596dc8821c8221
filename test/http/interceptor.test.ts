import { setTimeout as sleep } from 'node:timers/promises';
import type { CallHandler, ExecutionContext } from '@nestjs/common';
import { lastValueFrom, of } from 'rxjs';
import { AuthenticationError } from 'nestjs-parity';
import { ParityInterceptor } from '../../lib/http/parity.interceptor.js';
import { globalInterceptor } from '../../lib/http/request-mode.js';
import { DID, HttpApps, platforms } from './fixtures.js';
import { Careless, Handlers, save, steps, sync } from './handlers.js';

const apps = new HttpApps();

beforeEach(() => {
  steps.splice(0);
  delete sync.failure;
  delete sync.until;
});

describe.each(platforms)('ParityInterceptor on $platform', ({ adapter }) => {
  const start = () => apps.start(adapter(), { controllers: [Handlers, Careless] });

  it.each([
    ['/promise', '{"done":true}'],
    ['/observable', '{"value":2}'],
  ])('syncs all of %s together, before the response', async (path, body) => {
    const app = await start();
    const response = await app.fetch(path);
    expect(steps).toEqual(['saved', 'saved', 'synced 2']);
    expect([response.status, await response.text()]).toEqual([200, body]);
  });

  it('answers nothing where the handler gives nothing', async () => {
    const app = await start();
    const response = await app.fetch('/nothing');
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect(steps).toEqual(['saved', 'synced 1']);
  });

  it('gives interceptors around it all values, bound to a handler, to all handlers, or to both', async () => {
    for (const isGlobal of [false, true]) {
      const app = await apps.start(adapter(), { controllers: [Handlers], isGlobal });
      expect((await app.json('/values')).body).toEqual({ values: [1, 2, 3] });
      expect(steps.splice(0)).toEqual(['saved', 'synced 1']);
    }
  });

  it('makes an auth failure the answer', async () => {
    const app = await start();
    sync.failure = new AuthenticationError('gone', { did: DID });
    expect(await app.json('/promise')).toMatchObject({ status: 401, body: { did: DID, saved: true } });
    expect((await app.fetch('/file')).status).toBe(401);
  });

  it('keeps the error of the handler, and syncs what was committed before it', async () => {
    const app = await start();
    sync.failure = new AuthenticationError('gone', { did: DID });
    expect(await app.json('/conflict')).toMatchObject({ status: 409, body: { message: 'twice' } });
    expect(steps).toEqual(['saved', 'synced 1']);
  });

  it('sends a file after the sync', async () => {
    const app = await start();
    const response = await app.fetch('/file');
    expect(steps).toEqual(['saved', 'synced 1']);
    expect(await response.text()).toBe('content');
  });

  it('does not touch what a handler has sent by itself', async () => {
    const app = await start();
    sync.failure = new AuthenticationError('gone', { did: DID });
    expect(await (await app.fetch('/manual')).text()).toBe('by hand');
    expect(await (await app.fetch('/half')).text()).toBe('half, and half');
    await app.nest.close();
    expect(steps.filter((step) => step === 'synced 1')).toHaveLength(2);
    expect(apps.log.lines).toEqual(Array(2).fill(expect.stringMatching(/warn gone \(Not the answer/)));
  });

  it('lets events through as they come, each save by itself', async () => {
    const app = await start();
    const closed = new AbortController();
    const response = await app.fetch('/events', { signal: closed.signal });
    const text = await firstText(response, /two/);
    closed.abort();
    expect(text).toMatch(/data: one[^]*data: two/);
    expect(steps).toEqual(['saved alone']);
  });

  it.each(['/detached', '/careless/detached'])('does not let %s wait, but the shutdown', async (path) => {
    const app = await start();
    sync.failure = new AuthenticationError('gone', { did: DID });
    const answered = Promise.withResolvers<void>();
    sync.until = answered.promise;
    expect(await app.json(path)).toEqual({ status: 200, body: { done: true } });
    expect(steps).toEqual(['saved']);
    answered.resolve();
    await app.nest.close();
    expect(steps).toEqual(['saved', 'synced 1']);
    expect(apps.log.lines).toEqual([expect.stringMatching(/warn gone \(Not the answer/)]);
  });

  it('tells an error at once where nobody waits', async () => {
    const app = await start();
    const answered = Promise.withResolvers<void>();
    sync.until = answered.promise;
    expect((await app.fetch('/detached-conflict')).status).toBe(409);
    expect(steps).toEqual(['saved']);
    answered.resolve();
  });

  it('lets a handler overrule its controller', async () => {
    const app = await start();
    await app.fetch('/careless/awaited');
    expect(steps).toEqual(['saved', 'synced 1']);
  });

  it('syncs what was committed when the client goes away', async () => {
    const app = await start();
    const closed = new AbortController();
    const response = app.fetch('/never', { signal: closed.signal }).catch(() => undefined);
    while (steps.length === 0) await sleep(5);
    closed.abort();
    await response;
    while (steps.length === 1) await sleep(5);
    expect(steps).toEqual(['saved', 'synced 1']);
  });

  it('keeps the units of requests apart', async () => {
    const app = await start();
    await Promise.all(Array.from({ length: 5 }, () => app.fetch('/promise')));
    expect(steps.filter((step) => step.startsWith('synced'))).toEqual(Array(5).fill('synced 2'));
  });
});

describe('ParityInterceptor', () => {
  const interceptor = new ParityInterceptor({} as never, {} as never);
  const next: CallHandler = {
    handle: () => {
      save();
      return of('done');
    },
  };

  it('lets other transports through', async () => {
    const context = { getType: () => 'graphql', getHandler: () => save } as unknown as ExecutionContext;
    expect(await lastValueFrom(interceptor.intercept(context, next))).toBe('done');
    expect(steps).toEqual(['saved alone']);
  });

  it('is what is bound globally in request mode only', async () => {
    expect(globalInterceptor('request', interceptor)).toBe(interceptor);
    const other = await globalInterceptor('inline', interceptor).intercept({} as ExecutionContext, next);
    expect(await lastValueFrom(other)).toBe('done');
    expect(steps).toEqual(['saved alone']);
  });
});

async function firstText(response: Response, end: RegExp): Promise<string> {
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (end.test(text)) break;
  }
  return text;
}
