/**
 * The scopes of `requested` that `granted` lacks. A PDS silently drops scopes that it does not support, and
 * users may refuse some at the consent page.
 *
 * Permission sets (`include:`) are left out: the server answers with their contents, not with their names.
 *
 * @param requested scopes separated by spaces
 * @param granted the scopes of the token response
 */
export function missingScopes(requested: string, granted: string): string[] {
  const has = new Set(split(granted).map(canonical));
  return split(requested).filter((scope) => !scope.startsWith('include:') && !has.has(canonical(scope)));
}

function split(scope: string): string[] {
  return [...new Set(scope.split(' ').filter(Boolean))];
}

/**
 * One spelling of a scope: servers may order parameters differently, or write `repo:a` for
 * `repo?collection=a`.
 */
function canonical(scope: string): string {
  const [resource = '', query = ''] = scope.split('?', 2);
  const [prefix = '', ...rest] = resource.split(':');
  const params = [...new URLSearchParams(query)].map(([name, value]) => `${name}=${value}`);
  const positional = POSITIONAL[prefix];
  if (rest.length > 0) params.push(`${positional ?? ''}=${decode(rest.join(':'))}`);
  return `${prefix}?${[...new Set(params)].toSorted().join('&')}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The parameter that the part after the colon stands for: https://atproto.com/specs/permission */
const POSITIONAL: Readonly<Record<string, string>> = {
  repo: 'collection',
  rpc: 'lxm',
  blob: 'accept',
  account: 'attr',
  identity: 'attr',
};
