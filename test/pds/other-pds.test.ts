import { InvalidRecordError } from '../../lib/errors/invalid-record.error.js';
import { MissingScopeError } from '../../lib/errors/missing-scope.error.js';
import { PdsUnavailableError } from '../../lib/errors/pds-unavailable.error.js';
import { RateLimitedError } from '../../lib/errors/rate-limited.error.js';
import { MethodMissingError } from '../../lib/pds/method-missing.error.js';
import { currentCids } from '../../lib/pds/reads.js';
import { UNKNOWN_REPOSITORY } from '../../lib/pds/repository-state.store.js';
import type { RepositoryWriterOptions } from '../../lib/pds/repository-writer.js';
import {
  answer,
  dropResponse,
  type Exchange,
  type Fault,
  Held,
  html,
  resetBefore,
  serverError,
  isFence,
  isWrite,
} from '../support/fault-proxy.js';
import { type App, COLLECTION, WriterNetwork, rejection } from './fixtures.js';

const FOREVER = Number.POSITIVE_INFINITY;
const APPLY = 'com.atproto.repo.applyWrites';
const GET = 'com.atproto.repo.getRecord';
const HEAD = 'com.atproto.sync.getLatestCommit';

const text = (status: number, body: string): Fault => answer(status, body, { 'content-type': 'text/plain' });
const json = (status: number, error: string, message = error): Fault => answer(status, { error, message });

/** Each row is one of docs/other-pds.md. */
describe('RepositoryWriter at a PDS that says it in other words', () => {
  let servers: WriterNetwork;
  beforeAll(async () => {
    servers = await WriterNetwork.start();
  });
  afterAll(() => servers[Symbol.asyncDispose]());
  beforeEach(() => servers.proxy.reset());

  const told: string[] = [];
  beforeEach(() => void told.splice(0));
  const appOf = (options: RepositoryWriterOptions = {}): Promise<App> =>
    servers.app({ timeoutMs: 10_000, warn: (message) => void told.push(message), ...options });
  const calls = (): string[] => servers.proxy.calls;
  const state = async (app: App) => (await app.state.load(app.did)) ?? UNKNOWN_REPOSITORY;
  /** For what is waited for until its time is over. */
  const impatient = { timeoutMs: 2_000 };
  /** What another application of the user writes. */
  const writeElsewhere = async ({ did, agent }: App, rkey = 'theirs'): Promise<void> => {
    const record = { $type: COLLECTION, text: 'theirs' };
    await servers
      .agentAt(servers.network.pdsUrl, agent)
      .com.atproto.repo.putRecord({ repo: did, collection: COLLECTION, rkey, record });
  };
  /** Wherever this PDS would have said `InvalidSwap`. */
  const staleAs =
    (fault: Fault): Fault =>
    async (exchange) => {
      const { status, headers, body } = await exchange.forward();
      if (body.toString().includes('InvalidSwap')) await fault(exchange);
      else exchange.respond({ status, headers, body });
    };

  describe('a demanded head that is not the head any more', () => {
    it.each<[string, Fault]>([
      ['500', serverError],
      ['500 in plain text', text(500, 'Internal Server Error')],
      ['400 in plain text', text(400, 'swap commit mismatch')],
      ['409 in plain text', text(409, 'Conflict')],
      ['400 InvalidRequest', json(400, 'InvalidRequest', 'Repo head does not match swapCommit')],
      ['400 InvalidRequest that sounds like a record', json(400, 'InvalidRequest', 'Invalid record')],
      ['400 of another name', json(400, 'ConcurrentWrites')],
      ['409', json(409, 'InvalidSwapCommit')],
      ['403', json(403, 'Forbidden')],
    ])('told as %s, is a lost race', async (_name, fault) => {
      const app = await appOf();
      await app.save({ a: 'one' });
      for (const value of ['two', 'three']) {
        await writeElsewhere(app, value);
        servers.proxy.fault(APPLY, staleAs(fault), FOREVER);
        const report = await app.save({ a: value });
        expect(report.refused.size).toBe(0);
        expect(report.committed).toHaveLength(1);
      }
      expect(await servers.notes(app)).toMatchObject({ a: 'three' });
      expect(await state(app)).toMatchObject({ inFlight: null, unsettled: {} });
      expect(app.foreign.size).toBe(0);
      servers.proxy.reset();
      await app.save({ a: 'four' });
      expect(calls()).toEqual(['applyWrites']);
    });

    it('told as 500 or not, ends where another application always is faster', async () => {
      const app = await appOf();
      await app.save({ a: 'one' });
      const busy: Fault = async (exchange) => {
        await writeElsewhere(app, `at${servers.proxy.log.length}`);
        await staleAs(serverError)(exchange);
      };
      servers.proxy.fault(APPLY, busy, FOREVER);
      await rejection(app.save({ a: 'two' }), PdsUnavailableError);
      servers.proxy.reset();
      await app.save({ a: 'three' });
      expect(await servers.notes(app)).toMatchObject({ a: 'three' });
      expect(app.foreign.size).toBe(0);
    });
  });

  describe('a fence that is refused', () => {
    /** Whether the answer is about fences, so that no other is sent. */
    const refusals: [string, Fault, boolean][] = [
      ['400 InvalidRequest', json(400, 'InvalidRequest', 'writes must not be empty'), true],
      ['400 in plain text', text(400, 'no writes'), true],
      ['403 without the scope', json(403, 'InsufficientScope'), true],
      ['403', json(403, 'Forbidden'), false],
      ['500', serverError, false],
      ['200 without a commit', answer(200, { results: [] }), true],
    ];

    it.each(refusals)('with %s: what landed is found', async (_name, fault) => {
      const app = await appOf();
      await app.save({ a: 'one' });
      servers.proxy.fault(isFence, fault, FOREVER);
      for (const value of ['two', 'three']) {
        servers.proxy.fault(isWrite, dropResponse);
        const report = await app.save({ a: value });
        expect(report.committed).toHaveLength(1);
      }
      expect(await servers.commits(app)).toEqual([['create a'], ['update a'], ['update a']]);
      expect(app.foreign.size).toBe(0);
      expect(await state(app)).toMatchObject({ inFlight: null, unsettled: {} });
      // Where the head has moved, the refusal may have meant that.
      expect(told).toEqual([]);
    });

    it.each(refusals)('with %s: what lands in its time is waited for', async (_name, fault) => {
      const app = await appOf(impatient);
      await app.save({ a: 'one' });
      servers.proxy.fault(isFence, fault, FOREVER);
      const held = new Held();
      servers.proxy.fault(isWrite, held.lost);
      // Right after the head was told, which has not moved so far.
      servers.proxy.fault(HEAD, async (exchange) => {
        exchange.respond(await exchange.forward());
        await held.land();
      });
      expect((await app.save({ a: 'two' })).committed).toHaveLength(1);
      expect(await servers.commits(app)).toEqual([['create a'], ['update a']]);
      expect(await state(app)).toMatchObject({ inFlight: null, unsettled: {} });
    });

    it.each(refusals)(
      'with %s: what was lost is sent again, and lands on nothing when it is late',
      async (_name, fault, isRemembered) => {
        const app = await appOf(impatient);
        await app.save({ a: 'one', b: 'one' });
        servers.proxy.fault(isFence, fault, FOREVER);
        const held = new Held();
        servers.proxy.fault(isWrite, held.lost);
        await app.save({ a: 'two' });
        expect((await held.land()).body.toString()).toContain('InvalidSwap');
        servers.proxy.fault(isWrite, resetBefore);
        servers.proxy.log.length = 0;
        await app.save({ b: 'two' });
        expect(await servers.notes(app)).toEqual({ a: 'two', b: 'two' });
        expect(await state(app)).toMatchObject({ inFlight: null, unsettled: {} });
        expect(servers.proxy.log.some(isFence)).toBe(!isRemembered);
        const message = expect.stringContaining(`${servers.proxy.url} takes no applyWrites without writes`);
        expect(told).toEqual(isRemembered ? [message] : []);
      },
    );

    it('is no outage of its host, and no fault of a record', async () => {
      const [app, other] = [await appOf(impatient), await appOf()];
      other.writer = app.writer;
      await app.save({ a: '0' });
      servers.proxy.fault(isFence, resetBefore, FOREVER);
      servers.proxy.fault(isWrite, resetBefore);
      const errors: Error[] = [];
      for (let round = 1; round <= 8; round++)
        await app.save({ a: `${round}` }).catch((error: Error) => errors.push(error));
      expect(errors.filter((error) => !(error instanceof PdsUnavailableError))).toEqual([]);
      expect(errors).toHaveLength(3);
      expect(app.writer.pausedUntil(app.did)).toBeNull();
      await other.save({ a: 'one' });
      await app.save({ a: 'last' });
      expect(await servers.notes(app)).toEqual({ a: 'last' });
      expect(told).toEqual([expect.stringContaining('takes no applyWrites without writes (no answer)')]);
    });

    it('by a broken connection: the next try finds what landed', async () => {
      const app = await appOf();
      await app.save({ a: 'one' });
      servers.proxy.fault(isFence, resetBefore, FOREVER);
      servers.proxy.fault(isWrite, dropResponse);
      await rejection(app.save({ a: 'two' }), PdsUnavailableError);
      await app.save({ a: 'three' });
      expect(await servers.commits(app)).toEqual([['create a'], ['update a'], ['update a']]);
      expect(app.foreign.size).toBe(0);
    });

    it('knows a request for its own that lands when nothing was to be written any more', async () => {
      const app = await appOf(impatient);
      await app.save({ a: 'one' });
      servers.proxy.fault(isFence, json(400, 'InvalidRequest'), FOREVER);
      const held = new Held();
      servers.proxy.fault(isWrite, held.lost);
      servers.proxy.fault(HEAD, html(502), 1);
      await rejection(app.save({ a: 'two' }));
      // The row has gone back to what it was.
      expect((await app.save({ a: 'one' })).committed).toEqual([]);
      expect((await held.land()).status).toBe(200);
      await app.save({ a: 'three' });
      expect(app.foreign.size).toBe(0);
      expect(await servers.notes(app)).toEqual({ a: 'three' });
      expect(await state(app)).toMatchObject({ inFlight: null, unsettled: {} });
    });

    it('blames no record for a PDS that takes nothing at all', async () => {
      const app = await appOf();
      await app.save({ a: 'one' });
      servers.proxy.fault(APPLY, serverError, FOREVER);
      for (let round = 0; round < 3; round++) {
        await rejection(app.save({ a: 'two' }), PdsUnavailableError);
        await rejection(app.save({ a: 'two', b: 'two' }), PdsUnavailableError);
      }
      servers.proxy.reset();
      await app.save({ a: 'two' });
      expect(await servers.notes(app)).toEqual({ a: 'two' });
    });

    it('still lets the one record be found that such a PDS cannot take', async () => {
      const app = await appOf();
      await app.save({ a: 'one' });
      servers.proxy.fault(isFence, json(400, 'InvalidRequest'), FOREVER);
      servers.proxy.fault(
        (one) => isWrite(one) && JSON.stringify(one.body).includes('poison'),
        serverError,
        FOREVER,
      );
      await rejection(app.save({ b: 'poison' }), PdsUnavailableError);
      const report = await app.save({ b: 'poison', c: 'fine', d: 'fine' });
      expect([...report.refused.keys()]).toEqual([app.uri('b')]);
      expect(await servers.notes(app)).toEqual({ a: 'one', c: 'fine', d: 'fine' });
    });
  });

  describe('a record that is not there', () => {
    it.each<[string, Fault]>([
      ['400 RecordNotFound', json(400, 'RecordNotFound', 'Could not locate record')],
      ['404 RecordNotFound', json(404, 'RecordNotFound')],
      ['400 InvalidRequest', json(400, 'InvalidRequest', 'Could not locate record: at://did:plc:a/b/c')],
      ['404 InvalidRequest', json(404, 'InvalidRequest', 'Record not found')],
      ['404 of another name', json(404, 'NotFound')],
      ['404 with a message only', answer(404, { message: 'record not found' })],
      ['404 in plain text', text(404, 'not found')],
    ])('told as %s, is created', async (_name, fault) => {
      const app = await appOf();
      const missingAs: Fault = async (exchange) => {
        const reply = await exchange.forward();
        if (reply.status === 200) exchange.respond(reply);
        else await fault(exchange);
      };
      servers.proxy.fault(GET, missingAs, FOREVER);
      expect((await app.save({ self: 'one' }, { verify: true })).committed).toHaveLength(1);
      expect((await currentCids(app.agent, [app.address('other')])).get(app.uri('other'))).toBeNull();
      await app.state.settled(app.did, UNKNOWN_REPOSITORY);
      await app.save({ self: null });
      await app.save({ self: 'two' }, { verify: true });
      expect(await servers.notes(app)).toEqual({ self: 'two' });
    });

    it.each<[string, Fault]>([
      ['an empty object', answer(404, {})],
      ['an object of other names', answer(404, { statusCode: 404, detail: 'there is nothing here' })],
    ])('told as 404 with %s, is created if the PDS has the method', async (_name, fault) => {
      const app = await appOf();
      const missingAs: Fault = async (exchange) => {
        const reply = await exchange.forward();
        if (reply.body.toString().includes('RecordNotFound')) await fault(exchange);
        else exchange.respond(reply);
      };
      servers.proxy.fault(GET, missingAs, FOREVER);
      expect((await app.save({ a: 'one', b: 'one' }, { verify: true })).committed).toHaveLength(2);
      expect(calls().filter((name) => name === 'getRecord')).toHaveLength(3);
      expect(await servers.notes(app)).toEqual({ a: 'one', b: 'one' });
      expect(told).toEqual([]);
    });

    it('is not believed of a repository that is not there', async () => {
      const app = await appOf();
      await app.save({ a: 'one' });
      servers.proxy.fault(GET, json(400, 'InvalidRequest', 'Could not locate record'), FOREVER);
      servers.proxy.fault(HEAD, json(400, 'RepoDeactivated'), FOREVER);
      expect(await rejection(app.save({ a: null }, { verify: true }))).toMatchObject({
        code: 'AUTHENTICATION_FAILED',
        message: expect.stringContaining('deactivated'),
      });
      servers.proxy.reset();
      servers.proxy.fault(GET, text(404, '404 page not found'), FOREVER);
      servers.proxy.fault(HEAD, text(404, '404 page not found'), FOREVER);
      await rejection(app.save({ a: null }, { verify: true }), PdsUnavailableError);
      expect(await servers.notes(app)).toEqual({ a: 'one' });
    });

    it.each<[string, Fault]>([
      ['400 InvalidRequest', json(400, 'InvalidRequest', 'Record already exists')],
      ['409', json(409, 'RecordAlreadyExists')],
      ['409 in plain text', text(409, 'exists')],
      ['404', json(404, 'RecordNotFound')],
    ])(
      'or is there, unexpectedly, when it is written, told as %s: is written as it has to be',
      async (_name, fault) => {
        const app = await appOf();
        await app.save({ a: 'one', b: 'one' });
        app.remembered.delete(app.uri('a'));
        app.remembered.set(app.uri('c'), 'bafynone');
        const failedAs: Fault = async (exchange) => {
          const reply = await exchange.forward();
          if (reply.status === 200) exchange.respond(reply);
          else await fault(exchange);
        };
        servers.proxy.fault(APPLY, failedAs, FOREVER);
        const { refused } = await app.save({ a: 'two', c: 'two' });
        expect(refused.size).toBe(0);
        expect(await servers.notes(app)).toEqual({ a: 'two', b: 'one', c: 'two' });
      },
    );
  });

  describe('a success that is none', () => {
    const lacking: [string, (body: Record<string, unknown>, exchange: Exchange) => object][] = [
      [
        'fewer results than writes',
        (body) => ({ ...body, results: (body['results'] as unknown[]).slice(1) }),
      ],
      ['no results', (body) => ({ ...body, results: undefined })],
      [
        'the commit that was demanded',
        (body, { body: input }) => ({
          ...body,
          commit: { cid: (input as { swapCommit: string }).swapCommit, rev: '3jzfcijpj2z2a' },
        }),
      ],
    ];
    it.each(lacking)('with %s, is looked at', async (_name, change) => {
      const app = await appOf();
      await app.save({ a: 'one' });
      servers.proxy.fault(isWrite, async (exchange) => {
        const { status, body } = await exchange.forward();
        await answer(
          status,
          change(JSON.parse(body.toString()) as Record<string, unknown>, exchange),
        )(exchange);
      });
      expect((await app.save({ a: 'two', b: 'two' })).committed).toHaveLength(2);
      expect(await servers.commits(app)).toEqual([['create a'], ['update a', 'create b']]);
      // Nothing was written, though it says so.
      servers.proxy.fault(isWrite, async (exchange) => {
        const commit = { cid: (exchange.body as { swapCommit: string }).swapCommit, rev: '3jzfcijpj2z2a' };
        await answer(200, { commit, results: [] })(exchange);
      });
      await app.save({ a: 'three', b: 'three' });
      expect(await servers.notes(app)).toEqual({ a: 'three', b: 'three' });
      expect(app.foreign.size).toBe(0);
    });
  });

  describe('a missing scope', () => {
    const collection = 'com.example.other';
    it.each<[string, Fault]>([
      [
        'ScopeMissingError',
        json(403, 'ScopeMissingError', `Missing required scope "repo:${collection}?action=create"`),
      ],
      [
        'insufficient_scope',
        json(403, 'insufficient_scope', `requires scope repo:${collection}?action=create`),
      ],
      ['insufficient_scope and nothing else', json(403, 'insufficient_scope', 'Insufficient scope')],
      ['InsufficientScope', json(403, 'InsufficientScope')],
      ['InsufficientScope with 401', json(401, 'InsufficientScope')],
      [
        'a header',
        answer(
          403,
          { error: 'Forbidden' },
          {
            'www-authenticate': `DPoP error="insufficient_scope", scope="atproto repo:${collection}?action=create"`,
          },
        ),
      ],
    ])('told as %s, is named', async (_name, fault) => {
      const app = await appOf();
      await app.save({ a: 'one' });
      servers.proxy.fault(
        (one) => isWrite(one) && JSON.stringify(one.body).includes(collection),
        fault,
        FOREVER,
      );
      const error = await rejection(app.save({ a: 'one' }, { collection }), MissingScopeError);
      expect(error.scope).toBe(`repo:${collection}?action=create`);
      expect(await state(app)).toMatchObject({ inFlight: null });
      await app.save({ a: 'two' });
    });

    it('that the PDS does not name is that of the first write that is refused alone', async () => {
      const app = await appOf();
      await app.save({ b: 'one' });
      servers.proxy.fault(
        (one) => isWrite(one) && JSON.stringify(one.body).includes('#update'),
        json(403, 'InsufficientScope'),
        FOREVER,
      );
      const error = await rejection(app.save({ a: 'one', b: 'two' }), MissingScopeError);
      expect(error.scope).toBe(`repo:${COLLECTION}?action=update`);
      expect(await servers.notes(app)).toEqual({ a: 'one', b: 'one' });
    });
  });

  describe('a limit', () => {
    it('of one account, without headers, leaves the others alone', async () => {
      const [app, other] = [await appOf(), await appOf()];
      other.writer = app.writer;
      servers.proxy.fault(isWrite, json(429, 'RateLimitExceeded'));
      expect(await rejection(app.save({ a: 'one' }), RateLimitedError)).toMatchObject({ limitOf: 'account' });
      expect(app.writer.pausedUntil(other.did)).toBeNull();
      await other.save({ a: 'one' });
      expect(await servers.notes(other)).toEqual({ a: 'one' });
    });
  });

  describe('a method that is not there', () => {
    it.each<[string, string, Fault]>([
      [HEAD, '501', json(501, 'MethodNotImplemented')],
      [HEAD, '501 in plain text', text(501, 'Not implemented')],
      [HEAD, '404', json(404, 'XRPCNotSupported')],
      [HEAD, '400', json(400, 'MethodNotImplemented')],
      [GET, '501', json(501, 'MethodNotImplemented')],
      [GET, '404', json(404, 'XRPCNotSupported')],
      [GET, '404 with an empty object', answer(404, {})],
      [APPLY, '501', json(501, 'MethodNotImplemented')],
      [APPLY, '404', json(404, 'XRPCNotSupported')],
    ])('%s, told as %s, is named, told once and asked for an hour later', async (method, _name, fault) => {
      const app = await appOf();
      servers.proxy.fault(method, fault, FOREVER);
      for (let round = 1; round <= 6; round++) {
        const error = await rejection(app.save({ a: 'one' }, { verify: true }), MethodMissingError);
        expect(error.message).toContain(`does not have the method ${method} (HTTP`);
        expect(error).toMatchObject({ did: app.did, code: 'PDS_UNAVAILABLE', outage: false });
        expect(error.retryAt.getTime()).toBeGreaterThan(Date.now() + 3_500_000);
      }
      expect(told).toEqual([expect.stringContaining(method)]);
      expect(app.writer.pausedUntil(app.did)).toBeNull();
      expect(await state(app)).toMatchObject({ inFlight: null });
      servers.proxy.reset();
      await app.save({ a: 'one' });
      expect(await servers.notes(app)).toEqual({ a: 'one' });
    });
  });

  it.each<[string, Fault]>([
    ['400', json(400, 'InvalidRequest', 'no')],
    ['401', json(401, 'AuthenticationRequired')],
    ['403', json(403, 'InsufficientScope')],
    ['500', serverError],
    ['400 in plain text', text(400, 'no')],
  ])(
    'a read that is refused with %s names its method, and blames no record, account or host',
    async (_name, fault) => {
      const app = await appOf();
      for (const method of [GET, HEAD]) {
        servers.proxy.reset();
        servers.proxy.fault(method, fault, FOREVER);
        for (let round = 1; round <= 6; round++) {
          const error = await rejection(app.save({ a: 'one' }, { verify: true }), PdsUnavailableError);
          expect(error.message).toContain(method);
          expect(error.outage).toBe(false);
        }
      }
      expect(app.writer.pausedUntil(app.did)).toBeNull();
    },
  );

  it.each<[string, Fault]>([
    ['a name that is not known', json(400, 'TeapotError', 'the note says: my secret text')],
    ['words that are not known', json(400, 'InvalidRequest', 'bad note: my secret text')],
    ['plain text', text(400, 'my secret text')],
    ['a 422', json(422, 'Unprocessable')],
  ])('a refusal in %s is a record’s fault only where the PDS takes other commits', async (_name, fault) => {
    const app = await appOf();
    const isSecret = (one: Exchange): boolean => isWrite(one) && JSON.stringify(one.body).includes('secret');
    servers.proxy.fault(isSecret, fault);
    expect((await app.save({ a: 'my secret text' })).refused.size).toBe(0);
    servers.proxy.fault(isSecret, fault, FOREVER);
    const { refused } = await app.save({ a: 'my secret text, too', b: 'fine' });
    expect([...refused.keys()]).toEqual([app.uri('a')]);
    expect(refused.get(app.uri('a'))).toBeInstanceOf(InvalidRecordError);
    expect(refused.get(app.uri('a'))?.message).not.toContain('secret');
    expect(await servers.notes(app)).toEqual({ a: 'my secret text', b: 'fine' });
  });
});
