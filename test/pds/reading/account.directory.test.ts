import { jest } from '@jest/globals';
import { AccountDirectory } from '../../../lib/pds/reading/account.directory.js';
import { RepositoryReader } from '../../../lib/pds/reading/repository.reader.js';
import { car, error, HandMadePds, json, type Answer } from './hand-made-pds.js';
import { HandMadeRepository, SigningKey } from './hand-made-repository.js';

const GET_REPO = 'com.atproto.sync.getRepo';
const STATUS = 'com.atproto.sync.getRepoStatus';
const LATEST = 'com.atproto.sync.getLatestCommit';
const REV = '3kzzzzzzzzz22';

let pds: HandMadePds;
let other: HandMadePds;
beforeEach(async () => {
  pds = await HandMadePds.start();
  other = await HandMadePds.start();
});
afterEach(async () => {
  await pds[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

const webDid = (): string => `did:web:localhost%3A${new URL(pds.url).port}`;
const documents = (): number => pds.requests.filter((request) => request.startsWith('document')).length;
const reason = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no error',
    (thrown: unknown) => (thrown as { reason?: unknown }).reason ?? thrown,
  );

describe('AccountDirectory', () => {
  it('finds the PDS, the key and the handle of a did:plc and of a did:web', async () => {
    const account = {
      pds: pds.url,
      signingKey: `did:key:${pds.key.multibase}`,
      handle: 'alice.test',
    };
    expect(await pds.directory().account(pds.did)).toEqual(account);
    pds.document = pds.documentOf(webDid());
    expect(await pds.directory().account(webDid())).toEqual(account);
    pds.document = pds.documentOf(pds.did, { alsoKnownAs: [] });
    expect(await pds.directory().account(pds.did)).toEqual({ ...account, handle: null });
  });

  it('asks once for several callers, and again when its time is over', async () => {
    const directory = pds.directory({ cachedMs: 300 });
    await Promise.all([directory.account(pds.did), directory.account(pds.did)]);
    await directory.account(pds.did);
    expect(documents()).toBe(1);
    await new Promise((done) => setTimeout(done, 400));
    await directory.account(pds.did);
    expect(documents()).toBe(2);
  });

  it('keeps the accounts that were used last', async () => {
    const directory = pds.directory({ cachedAccounts: 2 });
    const dids = ['a', 'b', 'c'].map((letter) => `did:plc:${letter.repeat(24)}`);
    for (const did of dids) await directory.account(did);
    for (const did of dids.slice(1)) await directory.account(did);
    expect(documents()).toBe(3);
    await directory.account(dids[0]!);
    expect(documents()).toBe(4);
  });

  it('asks again on refresh, whose answer is kept', async () => {
    const directory = pds.directory();
    await directory.account(pds.did);
    pds.document = pds.documentOf(pds.did, { alsoKnownAs: ['at://bob.test'] });
    expect(await directory.refresh(pds.did)).toMatchObject({ handle: 'bob.test' });
    expect(await directory.account(pds.did)).toMatchObject({ handle: 'bob.test' });
    expect(documents()).toBe(2);
  });

  it('keeps the answer to the question that was asked last', async () => {
    const directory = pds.directory();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    pds.document = async (response, request) => {
      await held;
      pds.documentOf(pds.did, { alsoKnownAs: ['at://old.test'] })(response, request);
    };
    const first = directory.account(pds.did);
    while (documents() < 1) await new Promise(setImmediate);
    pds.document = pds.documentOf(pds.did, { alsoKnownAs: ['at://new.test'] });
    await directory.refresh(pds.did);
    release();
    await first;
    expect(await directory.account(pds.did)).toMatchObject({ handle: 'new.test' });
  });

  it.each<[string, Answer]>([
    ['unknown', error(404, 'NotFound')],
    ['deleted', error(410, 'Gone')],
    ['unreachable', error(500, 'InternalServerError')],
    ['unreachable', error(429, 'TooManyRequests')],
    ['unreachable', (response) => response.end('<!doctype html>')],
    ['unreachable', (response) => response.destroy()],
    ['unreachable', () => undefined],
    ['invalid-document', json({ id: 'did:plc:zzzzzzzzzzzzzzzzzzzzzzzz' })],
    ['invalid-document', json([])],
  ])('tells why there is no account: %s', async (expected, answer) => {
    pds.document = answer;
    const directory = pds.directory({ timeoutMs: 500 });
    expect(await reason(directory.account(pds.did))).toBe(expected);
    pds.document = undefined;
    expect(await directory.account(pds.did)).toMatchObject({ pds: pds.url });
  });

  it.each([500, 403, 503])(
    'does not take the %s of a did:web for a DID that does not exist',
    async (status) => {
      pds.document = error(status, 'Whatever');
      expect(await reason(pds.directory().account(webDid()))).toBe('unreachable');
    },
  );

  it('tells that a document names no PDS, or no key', async () => {
    pds.document = pds.documentOf(pds.did, { service: [] });
    expect(await reason(pds.directory().account(pds.did))).toBe('no-pds');
    pds.document = pds.documentOf(pds.did, { verificationMethod: [] });
    expect(await reason(pds.directory().account(pds.did))).toBe('no-key');
    const method = { id: '#atproto', type: 'Multikey', controller: pds.did, publicKeyMultibase: 'zNoKey0' };
    pds.document = pds.documentOf(pds.did, { verificationMethod: [method] });
    expect(await reason(pds.directory().account(pds.did))).toBe('no-key');
  });

  it.each(['did:key:zabc', 'did:plc', 'alice.test', 'did:web:localhost:path', ''])(
    'knows no such DID: %s',
    async (did) => {
      expect(await reason(pds.directory().account(did))).toBe('unsupported');
      expect(pds.requests).toEqual([]);
    },
  );

  it('reaches no private address that a DID or its document names', async () => {
    const directory = new AccountDirectory({ plcDirectoryUrl: pds.url });
    expect(await reason(directory.account(webDid()))).toBe('refused-address');
    expect(await reason(directory.account('did:web:127.0.0.1'))).toBe('refused-address');
    expect(pds.requests).toEqual([]);
    const reader = new RepositoryReader(directory);
    expect(await reason(reader.status(pds.did))).toBe('refused-address');
    expect(await reason(reader.repository(pds.did, { collections: null }))).toBe('refused-address');
    pds.document = pds.documentOf(pds.did, {
      service: [
        { id: '#atproto_pds', type: 'AtprotoPersonalDataServer', serviceEndpoint: 'https://169.254.169.254' },
      ],
    });
    await directory.refresh(pds.did);
    expect(await reason(reader.latestCommit(pds.did))).toBe('refused-address');
    expect(pds.requests.filter((request) => !request.startsWith('document'))).toEqual([]);
  });
});

describe('RepositoryReader with an account that has changed', () => {
  it('asks where the account is before it believes that the account is gone', async () => {
    const now = Date.now();
    const clock = jest.spyOn(Date, 'now').mockReturnValue(now - 120_000);
    const reader = pds.reader();
    pds.answers[STATUS] = json({ did: pds.did, active: true, rev: REV });
    expect(await reader.status(pds.did)).toEqual({ status: 'active', rev: REV });
    clock.mockRestore();
    pds.answers[STATUS] = error(400, 'RepoNotFound');
    expect(await reader.status(pds.did)).toEqual({ status: 'deleted', rev: null });
    pds.document = pds.documentOf(pds.did, {
      service: [{ id: '#atproto_pds', type: 'AtprotoPersonalDataServer', serviceEndpoint: other.url }],
    });
    const later = jest.spyOn(Date, 'now').mockReturnValue(now + 240_000);
    other.answers[STATUS] = json({ did: pds.did, active: true, rev: REV });
    other.answers[LATEST] = json({ cid: 'bafy', rev: REV });
    expect(await reader.status(pds.did)).toEqual({ status: 'active', rev: REV });
    expect(await reader.latestCommit(pds.did)).toMatchObject({ status: 'active', rev: REV });
    later.mockRestore();
    expect(pds.requests.filter((request) => request === LATEST)).toEqual([]);
  });

  it('asks for the key again when the one that it knows has not signed', async () => {
    const now = Date.now();
    const clock = jest.spyOn(Date, 'now').mockReturnValue(now - 60_000);
    const directory = pds.directory();
    await directory.account(pds.did);
    clock.mockRestore();
    pds.key = new SigningKey();
    pds.answers[GET_REPO] = car(new HandMadeRepository(pds.did, pds.key, new Map()).car());
    const reader = new RepositoryReader(directory, { allowHttp: true });
    await using reading = await reader.repository(pds.did, { collections: null });
    expect(reading).toMatchObject({ status: 'active', rev: REV });
    expect(documents()).toBe(2);
  });

  it.each([
    ['suspended', 'suspended'],
    ['takendown', 'takendown'],
    ['throttled', 'deactivated'],
    [undefined, 'deactivated'],
  ])('tells the status %s as %s', async (status, told) => {
    pds.answers[STATUS] = json({ did: pds.did, active: false, status });
    expect(await pds.reader().status(pds.did)).toEqual({ status: told, rev: null });
    pds.answers[LATEST] = error(400, 'RepoSuspended');
    expect(await pds.reader().latestCommit(pds.did)).toEqual({ status: 'suspended' });
  });

  it('finds the status by the latest commit at a PDS without getRepoStatus', async () => {
    pds.answers[LATEST] = json({ cid: 'bafy', rev: REV });
    expect(await pds.reader().status(pds.did)).toMatchObject({ status: 'active', rev: REV });
    pds.answers[LATEST] = error(400, 'RepoDeactivated');
    expect(await pds.reader().status(pds.did)).toEqual({ status: 'deactivated', rev: null });
  });

  it.each<[string, Answer]>([
    ['HTML', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>parked')],
    ['nonsense', json({ active: 'perhaps', rev: 7 })],
    ['an error without a name', error(400, 'InvalidRequest')],
    ['a failing gateway', (response) => response.writeHead(502).end('bad gateway')],
    ['silence', () => undefined],
    ['an endless error', (response) => void endless(response.writeHead(500))],
    ['an endless answer', (response) => void endless(response.writeHead(200))],
  ])('takes %s for no answer', async (_name, answer) => {
    Object.assign(pds.answers, { [STATUS]: answer, [LATEST]: answer });
    const reader = pds.reader({ timeoutMs: 1_500 });
    await expect(reader.status(pds.did)).rejects.toMatchObject({ code: 'PDS_UNAVAILABLE' });
    await expect(reader.latestCommit(pds.did)).rejects.toMatchObject({ code: 'PDS_UNAVAILABLE' });
  });

  it('tells when a host that limits requests may be asked again', async () => {
    pds.answers[STATUS] = (response) =>
      response
        .writeHead(429, { 'content-type': 'application/json', 'retry-after': '30' })
        .end('{"error":"RateLimitExceeded"}');
    await expect(pds.reader().status(pds.did)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('takes the word of a PDS that has no record for no proof', async () => {
    pds.answers['com.atproto.sync.getRecord'] = error(400, 'RecordNotFound');
    const reading = pds.reader().record({ did: pds.did, collection: 'com.example.note', rkey: 'a' });
    expect(await reason(reading)).toBe('no-proof');
  });
});

const endless = (response: Parameters<Answer>[0]): void => {
  const chunk = Buffer.alloc(1_000_000, ' ');
  const write = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', write);
  };
  write();
};
