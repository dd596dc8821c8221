import { PdsUnavailableError } from '../../lib/errors/pds-unavailable.error.js';
import type { Commit } from '../../lib/pds/commit.js';
import {
  answer,
  delay,
  dropResponse,
  Held,
  html,
  resetBefore,
  serverError,
  isFence,
  isWrite,
} from '../support/fault-proxy.js';
import { type App, COLLECTION, WriterNetwork, rejection } from './fixtures.js';

const FOREVER = Number.POSITIVE_INFINITY;

describe('RepositoryWriter, with answers that get lost', () => {
  let servers: WriterNetwork;
  beforeAll(async () => {
    servers = await WriterNetwork.startOwn();
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  const calls = (): string[] => servers.proxy.calls;
  const inFlight = async (app: App): Promise<unknown> => (await app.state.load(app.did))?.inFlight ?? null;

  it('does not write again what landed without an answer', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    servers.proxy.reset();
    servers.proxy.fault(isWrite, dropResponse);
    const commits: number[] = [];
    const report = await app.save(
      { a: 'two', b: 'other' },
      { onCommit: async (writes) => void commits.push(writes.length) },
    );
    expect(calls()).toEqual(['applyWrites', 'applyWrites', 'getLatestCommit', 'getRecord', 'getRecord']);
    expect(report.committed.map(({ action, address }) => `${action} ${address.rkey}`)).toEqual([
      'update a',
      'create b',
    ]);
    expect(commits).toEqual([2]);
    expect(await servers.commits(app)).toEqual([['create a'], ['update a', 'create b']]);
    expect(await inFlight(app)).toBeNull();
  });

  it('fences a request that was broken off, and sends it again', async () => {
    const app = await servers.app();
    servers.proxy.fault(isWrite, resetBefore);
    await app.save({ a: 'one' });
    expect(calls()).toEqual(['getLatestCommit', 'applyWrites', 'applyWrites', 'applyWrites']);
    expect(await servers.commits(app)).toEqual([[], ['create a']]);
  });

  it('waits no longer than its timeout, and a slow answer that is in time is fine', async () => {
    const app = await servers.app({ timeoutMs: 10_000 });
    servers.proxy.fault(isWrite, delay(200));
    await app.save({ a: 'one' });
    expect(calls()).toEqual(['getLatestCommit', 'applyWrites']);
    servers.proxy.reset();
    servers.proxy.fault('com.atproto.repo.applyWrites', new Held().fault, FOREVER);
    app.restart({ timeoutMs: 500 });
    await expect(app.save({ a: 'two' })).rejects.toThrow('did not answer in time');
    // The write and its fence, each of which waited.
    expect(calls()).toEqual(['applyWrites', 'applyWrites']);
  });

  it('makes a request that lands late land on nothing: a, b, a', async () => {
    const app = await servers.app();
    await app.save({ r: 'a' });
    const held = new Held();
    servers.proxy.fault(isWrite, held.fault);
    // Times out, is fenced, and is sent again.
    await app.save({ r: 'b' });
    await app.save({ r: 'a' });
    expect((await held.land()).body.toString()).toContain('InvalidSwap');
    expect(await servers.notes(app)).toEqual({ r: 'a' });
    expect(await servers.commits(app)).toEqual([['create r'], [], ['update r'], ['update r']]);
    await app.save({ r: 'c' });
    expect(app.foreign.size).toBe(0);
  });

  it('makes a request that lands late land on nothing: a delete in between', async () => {
    const app = await servers.app();
    await app.save({ r: 'a' });
    const held = new Held();
    servers.proxy.fault(isWrite, held.lost);
    servers.proxy.fault(isFence, resetBefore);
    const error = await rejection(app.save({ r: 'b' }));
    expect(error).toBeInstanceOf(PdsUnavailableError);
    expect(await inFlight(app)).toMatchObject({ cids: { [app.uri('r')]: expect.any(String) } });
    // Another process takes over with the same state.
    app.restart();
    await app.save({ r: null });
    expect((await held.land()).body.toString()).toContain('InvalidSwap');
    expect(await servers.notes(app)).toEqual({});
    await app.save({ r: 'a' });
    expect(await servers.notes(app)).toEqual({ r: 'a' });
    expect(app.foreign.size).toBe(0);
  });

  it('makes a read whose connection broke once more', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    servers.proxy.reset();
    servers.proxy.fault(isWrite, dropResponse);
    servers.proxy.fault('com.atproto.sync.getLatestCommit', resetBefore);
    servers.proxy.fault('com.atproto.repo.getRecord', resetBefore);
    await app.save({ a: 'two' });
    expect(calls().slice(2)).toEqual(['getLatestCommit', 'getLatestCommit', 'getRecord', 'getRecord']);
    const other = await servers.app();
    servers.proxy.fault('com.atproto.sync.getLatestCommit', resetBefore, 2);
    expect(await rejection(other.save({ a: 'one' }), PdsUnavailableError)).toMatchObject({
      message: expect.stringContaining('connection broke'),
    });
  });

  it('knows its own work when it landed after the writer had given up', async () => {
    const app = await servers.app();
    await app.save({ r: 'a' });
    const held = new Held();
    servers.proxy.fault(isWrite, held.lost);
    servers.proxy.fault(isFence, resetBefore);
    await rejection(app.save({ r: 'b' }));
    expect((await held.land()).status).toBe(200);
    servers.proxy.reset();
    const report = await app.save({ r: 'c' });
    expect(calls()).toEqual(['applyWrites', 'getLatestCommit', 'getRecord', 'applyWrites']);
    expect(app.foreign.size).toBe(0);
    expect(report.committed).toMatchObject([{ action: 'update' }]);
    expect(await servers.commits(app)).toEqual([['create r'], ['update r'], ['update r']]);
  });

  it('tells of what it found where nothing has to be written any more', async () => {
    const app = await servers.app();
    servers.proxy.fault(isWrite, dropResponse);
    servers.proxy.fault(isFence, resetBefore);
    await rejection(app.save({ a: 'one', b: 'one' }));
    const found: string[] = [];
    let foundAt: Commit | null = null;
    const report = await app.save(
      { a: 'one', b: 'one' },
      {
        onFound: async (uris, _after, at) => {
          found.push(...uris.keys());
          foundAt = at;
        },
      },
    );
    expect(report.committed).toEqual([]);
    expect(foundAt).toMatchObject({ cid: report.head, rev: expect.stringMatching(/^\w{13}$/) });
    expect(found.toSorted()).toEqual([app.uri('a'), app.uri('b')]);
    expect(await servers.commits(app)).toEqual([['create a', 'create b']]);
    servers.proxy.reset();
    expect(await app.state.load(app.did)).toMatchObject({ inFlight: null, unsettled: {} });
  });

  it('remembers what was in flight for one record while it writes others', async () => {
    const app = await servers.app();
    servers.proxy.fault(isWrite, dropResponse);
    servers.proxy.fault(isFence, resetBefore);
    await rejection(app.save({ a: 'one' }));
    await app.save({ b: 'one' });
    await app.save({ c: 'one' });
    app.restart();
    // The entity has changed meanwhile: the record at the PDS is neither what we remember nor what we want.
    await app.save({ a: 'two' });
    expect(app.foreign.size).toBe(0);
    expect(await servers.notes(app)).toEqual({ a: 'two', b: 'one', c: 'one' });
    servers.proxy.reset();
    await app.save({ a: 'three' });
    expect(calls()).toEqual(['applyWrites']);
  });

  it('tells a lost request of ours from an edit of somebody else', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    servers.proxy.fault(isWrite, resetBefore);
    servers.proxy.fault(isFence, resetBefore);
    await rejection(app.save({ a: 'two' }));
    await app.agent.com.atproto.repo.putRecord({
      repo: app.did,
      collection: COLLECTION,
      rkey: 'a',
      record: { $type: COLLECTION, text: 'theirs' },
    });
    await app.save({ a: 'two' });
    expect(app.foreign).toEqual(new Set([app.uri('a')]));
  });

  it('keeps what is in flight when it is stopped in the middle', async () => {
    const app = await servers.app();
    await app.save({ r: 'a' });
    const held = new Held();
    servers.proxy.fault(isWrite, held.fault);
    const stop = new AbortController();
    const saving = app.save({ r: 'b' }, { signal: stop.signal });
    await held.arrived;
    stop.abort();
    expect((await rejection(saving)).message).toContain('when the caller stopped waiting');
    expect(await inFlight(app)).toMatchObject({ cids: { [app.uri('r')]: expect.any(String) } });
    await app.save({ r: 'c' });
    expect((await held.land()).body.toString()).toContain('InvalidSwap');
    expect(await servers.notes(app)).toEqual({ r: 'c' });
  });

  it('turns the 500 to a create of an existing record into an update', async () => {
    const app = await servers.app();
    await app.save({ a: 'one', b: 'one' });
    app.remembered.delete(app.uri('a'));
    servers.proxy.reset();
    await app.save({ a: 'two' });
    expect(calls()).toEqual(['applyWrites', 'applyWrites', 'getRecord', 'applyWrites']);
    expect(await servers.commits(app)).toEqual([['create a', 'create b'], [], ['update a']]);
  });

  it('turns the 500 to an update or delete of a missing record into what is right', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    app.remembered.set(app.uri('b'), 'bafynone').set(app.uri('c'), 'bafynone');
    await app.save({ b: 'two', c: null });
    expect(await servers.notes(app)).toEqual({ a: 'one', b: 'two' });
    expect(await servers.commits(app)).toEqual([['create a'], [], ['create b']]);
  });

  it.each([
    ['HTML with 200', html(200)],
    ['HTML with 502', html(502)],
    ['a JSON 502', answer(502, { error: 'UpstreamFailure', message: 'Upstream Failure' })],
    ['JSON with 200 that names no commit', answer(200, {})],
    ['broken JSON', answer(200, '{', { 'content-type': 'application/json' })],
    ['a 500', serverError],
  ])('heals after %s instead of an answer', async (_name, fault) => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    servers.proxy.fault(isWrite, fault);
    await app.save({ a: 'two' });
    expect(await servers.notes(app)).toEqual({ a: 'two' });
    expect((await servers.commits(app)).filter((operations) => operations.length > 0)).toHaveLength(2);
    // The answer was the gateway's, but the PDS had carried it out.
    servers.proxy.fault(isWrite, async (exchange) => {
      await exchange.forward();
      await fault(exchange);
    });
    await app.save({ a: 'three' });
    expect(await servers.notes(app)).toEqual({ a: 'three' });
    expect((await servers.commits(app)).filter((operations) => operations.length > 0)).toHaveLength(3);
    expect(app.foreign.size).toBe(0);
  });

  it.each([
    ['HTML', html(503), 'no XRPC response (HTTP 503'],
    ['HTML with 200', html(200), 'no XRPC response (HTTP 200'],
    ['HTML with 404', html(404), 'no XRPC response (HTTP 404'],
    ['a reset', resetBefore, 'connection broke'],
    ['a 500', serverError, 'HTTP 500'],
  ])('remembers what was in flight while there is only %s', async (_name, fault, reason) => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    servers.proxy.fault('com.atproto.repo.applyWrites', fault, FOREVER);
    const error = await rejection(app.save({ a: 'two' }));
    expect(error).toBeInstanceOf(PdsUnavailableError);
    expect(error).toMatchObject({ did: app.did, message: expect.stringContaining(reason) });
    expect(error.message).toContain(servers.proxy.url);
    expect(await inFlight(app)).toMatchObject({ cids: { [app.uri('a')]: expect.any(String) } });
    servers.proxy.reset();
    await app.save({ a: 'three' });
    expect(await servers.notes(app)).toEqual({ a: 'three' });
    expect(await inFlight(app)).toBeNull();
  });

  it('gives up after three silences, and keeps the other records of a batch for the next try', async () => {
    const app = await servers.app();
    servers.proxy.fault(isWrite, resetBefore, 3);
    await expect(app.save({ a: 'one', b: 'one' })).rejects.toBeInstanceOf(PdsUnavailableError);
    await app.save({ a: 'one', b: 'one' });
    expect((await servers.commits(app)).filter((operations) => operations.length > 0)).toEqual([
      ['create a', 'create b'],
    ]);
  });

  it('has nothing to fence when the PDS cannot be reached', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    const { agent } = app;
    await servers.network.stopPds();
    const direct = servers.agentAt(servers.network.pdsUrl, agent);
    app.agent = direct;
    const error = await rejection(app.save({ a: 'two' }));
    expect(error.message).toContain('cannot be reached (ECONNREFUSED)');
    expect(await inFlight(app)).toBeNull();
    await servers.network.startPds();
    app.agent = agent;
    servers.proxy.reset();
    await app.save({ a: 'two' });
    expect(calls()).toEqual(['applyWrites']);
  });

  it('survives a PDS that is killed under a write', async () => {
    const app = await servers.app({ timeoutMs: 10_000 });
    await app.save({ a: 'one' });
    servers.proxy.fault(isWrite, async (exchange) => {
      const answered = exchange.forward();
      await servers.network.stopPds({ abruptly: true });
      exchange.respond(await answered);
    });
    await rejection(app.save({ a: 'two' }));
    await servers.network.startPds();
    await app.save({ a: 'three' });
    expect(await servers.notes(app)).toEqual({ a: 'three' });
    expect(app.foreign.size).toBe(0);
  });
});
