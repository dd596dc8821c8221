import { missingScopes } from '../../lib/sessions/oauth/granted-scope.js';

it.each([
  ['atproto repo:a.b.c', 'atproto repo:a.b.c', []],
  ['atproto repo:a.b.c blob:image/*', 'atproto', ['repo:a.b.c', 'blob:image/*']],
  ['atproto atproto repo:a.b.c', 'repo:a.b.c', ['atproto']],
  ['repo?collection=b.b.b&collection=a.a.a', 'repo?collection=a.a.a&collection=b.b.b', []],
  ['repo?collection=a.b.c', 'repo:a.b.c', []],
  ['repo:a.b.c?action=update&action=create', 'repo:a.b.c?action=create&action=update', []],
  ['repo:a.b.c', 'repo:a.b.c?action=create', ['repo:a.b.c']],
  ['rpc:a.b.c?aud=did:web:x%23y', 'rpc?aud=did%3Aweb%3Ax%23y&lxm=a.b.c', []],
  ['include:a.b.set', 'repo:a.b.c', []],
  ['transition:generic', 'atproto', ['transition:generic']],
  ['', '', []],
])("of '%s', '%s' lacks %j", (requested, granted, missing) => {
  expect(missingScopes(requested, granted)).toEqual(missing);
});
