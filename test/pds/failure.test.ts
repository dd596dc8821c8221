import { XRPCError } from '@atproto/api';
import { ComAtprotoRepoApplyWrites } from '@atproto/api';
import {
  FetchResponseError,
  OAuthResolverError,
  OAuthResponseError,
  TokenInvalidError,
  TokenRefreshError,
  TokenRevokedError,
} from '@atproto/oauth-client-node';
import { AuthenticationError } from '../../lib/errors/authentication.error.js';
import { InvalidRecordError } from '../../lib/errors/invalid-record.error.js';
import { MapperError } from '../../lib/errors/mapper.error.js';
import { MissingScopeError } from '../../lib/errors/missing-scope.error.js';
import { OAuthSessionInvalidError } from '../../lib/errors/oauth-session-invalid.error.js';
import { PdsUnavailableError } from '../../lib/errors/pds-unavailable.error.js';
import { RateLimitedError } from '../../lib/errors/rate-limited.error.js';
import { RecordConflictError } from '../../lib/errors/record-conflict.error.js';
import { classifyFailure } from '../../lib/pds/failure.js';
import { invalidRecord } from '../../lib/pds/pds-refusal.js';
import { sessionLoss } from '../../lib/sessions/session-loss.js';

const DID = 'did:plc:a';
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' };

const answered = (
  status: number,
  error?: string,
  message?: string,
  headers: Record<string, string> = JSON_TYPE,
) => new XRPCError(status, error, message, headers);
/** What the OAuth client makes of an error that is no HTTP answer. */
const wrapped = (cause: unknown, status = 1) => XRPCError.from(cause, status);
const network = (code: string) =>
  wrapped(new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) }));
const json = (status: number, body: object) =>
  new Response(JSON.stringify(body), { status, headers: JSON_TYPE });
const named = (message: string, name: string) => Object.assign(new Error(message), { name });
class AuthMethodUnsatisfiableError extends Error {}

type Row = readonly [name: string, error: unknown, kind: string, outcome: string, code: string];

const ROWS: readonly Row[] = [
  // Sessions
  [
    'a refused refresh',
    wrapped(
      new TokenRefreshError(DID, 'Refresh token replayed', {
        cause: new OAuthResponseError(json(400, {}), { error: 'invalid_grant' }),
      }),
    ),
    'auth',
    'not-applied',
    'OAUTH_SESSION_INVALID',
  ],
  [
    'a session that the store lacks (restore)',
    new TokenRefreshError(DID, 'The session was deleted by another process'),
    'auth',
    'not-applied',
    'OAUTH_SESSION_INVALID',
  ],
  ['a revoked session', wrapped(new TokenRevokedError(DID)), 'auth', 'not-applied', 'OAUTH_SESSION_INVALID'],
  ['an invalid session', wrapped(new TokenInvalidError(DID)), 'auth', 'not-applied', 'OAUTH_SESSION_INVALID'],
  [
    'a key that left the keyset',
    wrapped(new AuthMethodUnsatisfiableError('no key')),
    'auth',
    'not-applied',
    'OAUTH_SESSION_INVALID',
  ],
  [
    'an account that moved',
    wrapped(new TypeError('Issuer mismatch')),
    'auth',
    'not-applied',
    'OAUTH_SESSION_INVALID',
  ],
  [
    'a refreshed session that was not stored',
    wrapped(new AggregateError([new Error('disk')], `Failed to store session for ${DID}`)),
    'auth',
    'not-applied',
    'OAUTH_SESSION_INVALID',
  ],
  [
    '401 invalid_token',
    answered(401, 'invalid_token', 'Invalid token'),
    'auth',
    'not-applied',
    'OAUTH_SESSION_INVALID',
  ],
  ['401 AuthMissing', answered(401, 'AuthMissing'), 'auth', 'not-applied', 'OAUTH_SESSION_INVALID'],
  [
    '400 InvalidToken',
    answered(400, 'InvalidToken', 'Token could not be verified'),
    'auth',
    'not-applied',
    'OAUTH_SESSION_INVALID',
  ],
  [
    '400 ExpiredToken of a revoked one',
    answered(400, 'ExpiredToken', 'Token has been revoked'),
    'auth',
    'not-applied',
    'OAUTH_SESSION_INVALID',
  ],
  [
    'an error of a session provider, wrapped',
    wrapped(new OAuthSessionInvalidError('gone')),
    'auth',
    'not-applied',
    'OAUTH_SESSION_INVALID',
  ],
  // Sessions that live
  [
    'an access token that was not refreshed in time',
    answered(400, 'ExpiredToken', 'Token has expired'),
    'transient',
    'not-applied',
    'PDS_UNAVAILABLE',
  ],
  ['a DPoP nonce', answered(401, 'use_dpop_nonce'), 'transient', 'not-applied', 'PDS_UNAVAILABLE'],
  [
    'a resolver that is away',
    wrapped(OAuthResolverError.from(new Error('x'))),
    'transient',
    'not-applied',
    'PDS_UNAVAILABLE',
  ],
  [
    'a token endpoint with 500',
    wrapped(new OAuthResponseError(json(500, {}), { error: 'server_error' })),
    'transient',
    'not-applied',
    'PDS_UNAVAILABLE',
  ],
  [
    'a token endpoint with 400',
    wrapped(new OAuthResponseError(json(400, {}), { error: 'invalid_client' })),
    'transient',
    'not-applied',
    'PDS_UNAVAILABLE',
  ],
  [
    'a token endpoint with HTML',
    wrapped(new FetchResponseError(new Response('<html>', { status: 502 }))),
    'transient',
    'not-applied',
    'PDS_UNAVAILABLE',
  ],
  [
    'a session store that throws',
    wrapped(new Error('redis is away')),
    'transient',
    'unknown',
    'PDS_UNAVAILABLE',
  ],
  // Accounts
  ['AccountDeactivated', answered(401, 'AccountDeactivated'), 'auth', 'not-applied', 'AUTHENTICATION_FAILED'],
  ['AccountTakedown', answered(401, 'AccountTakedown'), 'auth', 'not-applied', 'AUTHENTICATION_FAILED'],
  ['AccountNotFound', answered(403, 'AccountNotFound'), 'auth', 'not-applied', 'AUTHENTICATION_FAILED'],
  ['RepoDeactivated', answered(400, 'RepoDeactivated'), 'auth', 'not-applied', 'AUTHENTICATION_FAILED'],
  [
    'somebody else’s repository',
    answered(401, 'AuthenticationRequired'),
    'auth',
    'not-applied',
    'AUTHENTICATION_FAILED',
  ],
  ['403 of another kind', answered(403, 'Forbidden'), 'auth', 'not-applied', 'AUTHENTICATION_FAILED'],
  [
    'a missing scope',
    answered(403, 'ScopeMissingError', 'Missing required scope "repo:com.example.thing?action=create"'),
    'scope',
    'not-applied',
    'MISSING_SCOPE',
  ],
  // Limits and refusals
  ['a rate limit', answered(429, 'RateLimitExceeded'), 'transient', 'not-applied', 'RATE_LIMITED'],
  [
    'a rate limit of a gateway',
    answered(429, undefined, undefined, { 'content-type': 'text/html' }),
    'transient',
    'not-applied',
    'RATE_LIMITED',
  ],
  [
    'an invalid record',
    answered(
      400,
      'InvalidRequest',
      'Invalid app.bsky.feed.post record: Missing required key "text" at $.writes[0].record.text',
    ),
    'permanent',
    'not-applied',
    'INVALID_RECORD',
  ],
  [
    'a missing blob',
    answered(400, 'BlobNotFound', 'Could not find blob: bafy'),
    'permanent',
    'not-applied',
    'INVALID_RECORD',
  ],
  ['413', answered(413, 'PayloadTooLarge'), 'permanent', 'not-applied', 'INVALID_RECORD'],
  [
    'InvalidSwap',
    new ComAtprotoRepoApplyWrites.InvalidSwapError(answered(400, 'InvalidSwap', 'Commit was at bafy')),
    'transient',
    'not-applied',
    'PDS_UNAVAILABLE',
  ],
  // Answers that tell nothing
  ['500', answered(500, 'InternalServerError'), 'transient', 'unknown', 'PDS_UNAVAILABLE'],
  [
    '502 of a gateway',
    answered(502, undefined, undefined, { 'content-type': 'text/html' }),
    'transient',
    'unknown',
    'PDS_UNAVAILABLE',
  ],
  [
    '404 with HTML',
    answered(404, undefined, undefined, { 'content-type': 'text/html' }),
    'transient',
    'unknown',
    'PDS_UNAVAILABLE',
  ],
  ['401 of a proxy', answered(401, undefined, undefined, {}), 'transient', 'unknown', 'PDS_UNAVAILABLE'],
  [
    'an answer that is no JSON',
    new XRPCError(2, 'Invalid Response'),
    'transient',
    'unknown',
    'PDS_UNAVAILABLE',
  ],
  [
    'a method that the PDS lacks',
    answered(404, 'XRPCNotSupported'),
    'transient',
    'not-applied',
    'PDS_UNAVAILABLE',
  ],
  // No answer
  ['ECONNREFUSED', network('ECONNREFUSED'), 'transient', 'not-applied', 'PDS_UNAVAILABLE'],
  ['ENOTFOUND', network('ENOTFOUND'), 'transient', 'not-applied', 'PDS_UNAVAILABLE'],
  ['ECONNRESET', network('ECONNRESET'), 'transient', 'unknown', 'PDS_UNAVAILABLE'],
  ['UND_ERR_SOCKET', network('UND_ERR_SOCKET'), 'transient', 'unknown', 'PDS_UNAVAILABLE'],
  [
    'a timeout',
    wrapped(new DOMException('late', 'TimeoutError'), 500),
    'transient',
    'unknown',
    'PDS_UNAVAILABLE',
  ],
  ['an abort', new DOMException('stop', 'AbortError'), 'transient', 'unknown', 'PDS_UNAVAILABLE'],
  ['anything else', 'a string', 'transient', 'unknown', 'PDS_UNAVAILABLE'],
  ['nothing at all', undefined, 'transient', 'unknown', 'PDS_UNAVAILABLE'],
  // Classified already
  ['AuthenticationError', new AuthenticationError('x'), 'auth', 'not-applied', 'AUTHENTICATION_FAILED'],
  ['MissingScopeError', new MissingScopeError('repo:x'), 'scope', 'not-applied', 'MISSING_SCOPE'],
  ['RecordConflictError', new RecordConflictError('x'), 'conflict', 'not-applied', 'RECORD_CONFLICT'],
  ['InvalidRecordError', new InvalidRecordError('x'), 'permanent', 'not-applied', 'INVALID_RECORD'],
  ['MapperError', new MapperError('x'), 'permanent', 'not-applied', 'MAPPER_FAILED'],
  ['PdsUnavailableError', new PdsUnavailableError('x'), 'transient', 'unknown', 'PDS_UNAVAILABLE'],
  [
    'RateLimitedError',
    new RateLimitedError('x', new Date(), 'host'),
    'transient',
    'not-applied',
    'RATE_LIMITED',
  ],
];

describe('classifyFailure', () => {
  it.each(ROWS)('knows %s', (_name, error, kind, outcome, code) => {
    const failure = classifyFailure(error, { did: DID, pds: 'https://pds.example' });
    expect(failure).toMatchObject({ kind, outcome, error: { code } });
    expect(failure.sessionLost).toBe(code === 'OAUTH_SESSION_INVALID');
    expect(sessionLoss(error) !== null).toBe(failure.sessionLost);
  });

  it('passes its own errors through, and gives all others the account and their cause', () => {
    const own = new RecordConflictError('mine');
    expect(classifyFailure(own, { did: DID }).error).toBe(own);
    const error = network('ECONNRESET');
    const failure = classifyFailure(error, { did: DID, pds: 'https://pds.example' });
    expect(failure.error).toMatchObject({ did: DID, cause: error });
    expect(failure.error.message).toBe(
      'The PDS https://pds.example cannot be used for did:plc:a now: the connection broke (ECONNRESET).',
    );
  });

  it('says of a session that is not there any more what may have become of it', () => {
    const error = new TokenRefreshError(DID, 'The session was deleted by another process');
    expect(classifyFailure(error, { did: DID }).error.message).toBe(
      `The session of ${DID} is gone (it was revoked, or its user has signed out). Let the user sign in again.`,
    );
  });

  it('names the scope that is missing', () => {
    const error = answered(
      403,
      'ScopeMissingError',
      'Missing required scope "repo:com.example.thing?action=create"',
    );
    expect(classifyFailure(error, { did: DID }).error).toMatchObject({
      scope: 'repo:com.example.thing?action=create',
    });
  });

  it.each([
    ['Expected string value type (got "my secret") at $.writes[3].record.text', '$.text'],
    ['string too big (maximum 300, got 5000) at $.writes[0].record.text', '$.text'],
    [
      'Invalid datetime (Invalid date, got "secret at $.writes[9].record.fake") at $.writes[0].record.embed.images[1].at',
      '$.embed.images[1].at',
    ],
    ['Invalid $type: expected com.example.note, got secret', undefined],
    ['Referenced Size does not match stored blob. Expected: 1, Got: 2', undefined],
  ])('quotes the path and not the value of %j', (message, path) => {
    const error = classifyFailure(answered(400, 'InvalidRequest', message), { did: DID })
      .error as InvalidRecordError;
    expect(error.path).toBe(path);
    expect(error.message).not.toMatch(/secret|5000/);
    expect(error.message).toContain(path === undefined ? message.split(/,? got/)[0] : `at ${path}`);
  });

  it.each([
    [
      'string too big (maximum 3000, got 3001) at $.writes[0].record.text',
      'string too big (maximum 3000) at $.text.',
    ],
    ['Invalid record: {"text":"my secret, and more of it"}', 'Invalid record: ….'],
    ["Invalid record: the text 'my secret' is bad", 'Invalid record: the text … is bad.'],
    ['Invalid record: my secret and all is bad', 'Invalid record: … is bad.'],
    ['Invalid record: Missing required key "text"', 'Missing required key "text".'],
    [`Invalid record ${'blah '.repeat(100)}`, `${'blah '.repeat(37)}`],
  ])('tells of %j what belongs in a log', (message, expected) => {
    const refusal = answered(400, 'InvalidRequest', message);
    const told = invalidRecord(refusal, { did: DID }, { text: 'my secret and all' }).message;
    expect(told).toContain(expected);
    expect(told).not.toContain('secret');
    expect(told.length).toBeLessThan(320);
  });

  it('ends at a circle of causes', () => {
    const error = named('round', 'Error');
    error.cause = error;
    expect(classifyFailure(error, { did: DID }).kind).toBe('transient');
  });
});
