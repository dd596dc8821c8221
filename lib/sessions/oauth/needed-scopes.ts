const ACTIONS = ['create', 'update', 'delete'];

/**
 * The scopes that writing to these collections needs and that client metadata does not ask for.
 *
 * @param scope of the client metadata, separated by spaces. One that includes permission sets (`include:`)
 *   counts as complete, because only the server knows their contents.
 * @see https://atproto.com/specs/permission
 */
export function lackingScopes(scope: string, collections: readonly string[]): string[] {
  const scopes = scope.split(' ').filter(Boolean);
  if (scopes.some((one) => one.startsWith('include:') || one === 'transition:generic')) return [];
  const granted = scopes.map(repoScope);
  return collections.flatMap((collection) => {
    const lacking = ACTIONS.filter(
      (action) =>
        !granted.some(
          (one) =>
            one?.actions.includes(action) &&
            (one.collections.includes(collection) || one.collections.includes('*')),
        ),
    );
    if (lacking.length === ACTIONS.length) return [`repo:${collection}`];
    return lacking.length === 0
      ? []
      : [`repo:${collection}?${lacking.map((action) => `action=${action}`).join('&')}`];
  });
}

function repoScope(scope: string): { collections: string[]; actions: string[] } | undefined {
  const [resource = '', query = ''] = scope.split('?', 2);
  const [prefix, ...rest] = resource.split(':');
  if (prefix !== 'repo') return undefined;
  const params = new URLSearchParams(query);
  const actions = params.getAll('action');
  const positional = rest.length > 0 ? [rest.join(':')] : [];
  return {
    collections: [...positional, ...params.getAll('collection')],
    actions: actions.length > 0 ? actions : ACTIONS,
  };
}
