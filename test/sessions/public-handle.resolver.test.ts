import { PublicHandleResolver } from '../../lib/sessions/oauth/public-handle.resolver.js';
import { rejection } from './fixtures.js';

const failed = (code?: string) => () => {
  throw new TypeError('fetch failed', { cause: Object.assign(new Error('no'), { code }) });
};
const answered =
  (status: number, body = '') =>
  () =>
    new Response(body, { status });
/** On this machine, or nowhere. */
const ONLINE = 'localhost';
const OFFLINE = 'no-such-host.invalid';

const resolve = (answer: () => Response, knownHost = ONLINE) =>
  new PublicHandleResolver(async () => answer(), knownHost).resolve('alice.no-such-host.invalid');

it.each([
  ['answers nothing of the kind', answered(404)],
  ['answers what is no DID', answered(200, 'hello')],
  ['does not exist', failed('ENOTFOUND')],
  ['has a certificate for others', failed('ERR_TLS_CERT_ALTNAME_INVALID')],
  [
    'redirects',
    () => {
      throw new TypeError('fetch failed', { cause: new Error('unexpected redirect') });
    },
  ],
])('finds no account where the host %s', async (_what, answer) => {
  expect(await resolve(answer)).toBeNull();
});

it('finds no account at a host that is not public, and asks none', async () => {
  const resolver = new PublicHandleResolver(globalThis.fetch, ONLINE);
  expect(await resolver.resolve('alice.localhost')).toBeNull();
});

it.each([
  ['is down', failed('ECONNREFUSED')],
  ['cannot be looked up', failed('EAI_AGAIN')],
  ['does not answer in time', failed('UND_ERR_CONNECT_TIMEOUT')],
  ['has an outage', answered(503)],
  ['limits us', answered(429)],
  ['fails in a way of its own', failed()],
])('does not tell that there is no account where the host %s', async (_what, answer) => {
  expect(await rejection(resolve(answer))).toMatchObject({ name: 'HandleResolverError' });
});

it('does not take a machine without network for a handle without account', async () => {
  expect(await rejection(resolve(failed('ENOTFOUND'), OFFLINE))).toMatchObject({
    name: 'HandleResolverError',
  });
});

it('gives the DID that the host tells', async () => {
  expect(await resolve(answered(200, 'did:plc:ewvi7nxzyoun6zhxrhs64oiz'))).toBe(
    'did:plc:ewvi7nxzyoun6zhxrhs64oiz',
  );
});
