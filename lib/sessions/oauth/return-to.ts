import { SignInError } from '../../errors/sign-in.error.js';

const MAX_LENGTH = 2_048;
const BASE = 'http://return-to.invalid';

/**
 * Gives `returnTo` back if a browser that is redirected to it stays with the application, whatever its host.
 *
 * @throws SignInError 'unsafe-return-to' for anything but a path of this application
 */
export function safeReturnTo(returnTo: string): string {
  if (isOwnPath(returnTo)) return returnTo;
  throw new SignInError(
    'unsafe-return-to',
    `returnTo ${JSON.stringify(returnTo).slice(0, 200)} is refused: it takes a path of this application such as ` +
      `'/posts?page=2' (one leading '/', no host, no backslash, no control character, at most ${MAX_LENGTH} characters).`,
  );
}

function isOwnPath(returnTo: string): boolean {
  if (typeof returnTo !== 'string' || returnTo.length > MAX_LENGTH) return false;
  // Browsers read '\' as '/' and drop tabs and line breaks: '/\host' and '/<tab>/host' are other hosts to
  // them.
  if (!returnTo.startsWith('/') || /[\\\p{Cc}]/u.test(returnTo) || !URL.canParse(returnTo, BASE))
    return false;
  const { origin, pathname } = new URL(returnTo, BASE);
  // '/.//host' is harmless as it is, but becomes '//host' when a proxy or framework normalises it.
  return origin === BASE && !pathname.startsWith('//');
}
