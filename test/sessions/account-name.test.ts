import { accountNameOf } from '../../lib/sessions/account-name.js';

const DID = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz';

it.each([
  ['alice.test', 'alice.test'],
  [' @Alice.Test ', 'alice.test'],
  ['\u200ealice.test\u200f', 'alice.test'],
  ['\u2068@alice.test\u2069', 'alice.test'],
  ['@\u202aalice.test\u202c', 'alice.test'],
  ['\ufeffalice\u00ad.test\u200b', 'alice.test'],
  ['\u00a0alice.test\u3000', 'alice.test'],
  ['\uff20alice\uff0etest', 'alice.test'],
  ['alice.test.', 'alice.test'],
  ['alice.test/', 'alice.test'],
  ['at://alice.test', 'alice.test'],
  ['at://alice.test/app.bsky.feed.post/3k', 'alice.test'],
  [`at://${DID}/`, DID],
  ['https://bsky.app/profile/alice.test', 'alice.test'],
  ['https://bsky.app/profile/alice.test/post/3k?x=1#y', 'alice.test'],
  ['bsky.app/profile/@alice.test', 'alice.test'],
  [`https://bsky.app/profile/${DID}`, DID],
  [`https://bsky.app/profile/${encodeURIComponent(DID)}`, DID],
  [DID, DID],
  [`Did:plc:${DID.slice(8).toUpperCase()}`, DID],
  ['did:web:localhost%3A3000', 'did:web:localhost%3A3000'],
  ['did:web:localhost%3a3000', 'did:web:localhost%3A3000'],
  ['did:web:Alice.Example.dev', 'did:web:alice.example.dev'],
])('takes %j for what it means', (typed, name) => {
  expect(accountNameOf(typed)).toBe(name);
});

it.each([
  '',
  '@',
  'alice',
  'alice test',
  'alice.test bob.test',
  'alice.test\nbob.test',
  'alice@example.com',
  'https://alice.test',
  'https://alice.test/about',
  'http://127.0.0.1:3000/',
  'http://127.0.0.1/profile/127.0.0.1',
  'at://',
  'did:plc:short',
  'did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme',
  'did:web:evil.example%3A8443',
  'did:web:evil.example:path',
  'https://bsky.app/profile/%E0%A4%A',
  `${'.'.repeat(1_000_000)}x`,
])('takes %j for neither a handle nor a DID', (typed) => {
  expect(accountNameOf(typed)).toBeNull();
});
