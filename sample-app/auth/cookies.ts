import type { IncomingMessage, ServerResponse } from 'node:http';

export interface CookieOptions {
  readonly path: string;
  /** In seconds; 0 deletes the cookie. */
  readonly maxAge: number;
}

export function readCookie({ headers }: Pick<IncomingMessage, 'headers'>, name: string): string | undefined {
  for (const pair of headers.cookie?.split(';') ?? []) {
    const [key, value] = pair.trim().split('=', 2);
    if (key === name) return value;
  }
  return undefined;
}

/** Sets a cookie that scripts cannot read, and that other sites' forms do not send. Add `Secure` where there is HTTPS. */
export function setCookie(
  response: ServerResponse,
  name: string,
  value: string,
  { path, maxAge }: CookieOptions,
): void {
  response.appendHeader(
    'set-cookie',
    `${name}=${value}; Path=${path}; Max-Age=${maxAge}; HttpOnly; SameSite=Lax`,
  );
}
