import { safeReturnTo } from '../sessions/oauth/return-to.js';
import type { HttpRequest } from './http-request.js';

/**
 * Where the user is to go after the sign-in: back to the page that was asked for, or, since a redirect cannot
 * send a form again, to the page with the form. Always a path of this application; '/' where there is no safe
 * one.
 *
 * @param url the request's path and query
 */
export function returnPath(request: HttpRequest, method: string, url: string): string {
  const path = method === 'GET' || method === 'HEAD' ? url : refererPath(request);
  try {
    return safeReturnTo(path);
  } catch {
    return '/';
  }
}

function refererPath({ headers, host = headers.host }: HttpRequest): string {
  const { referer = '' } = headers;
  // A page of another site must not choose where its victim arrives here, not even a path of this
  // application.
  const site = headers['sec-fetch-site'] ?? 'same-origin';
  if (site !== 'same-origin' || !URL.canParse(referer)) return '/';
  const page = new URL(referer);
  // The scheme is not compared: behind a proxy that ends TLS, the request says http and its page https.
  return page.host === host?.toLowerCase() ? page.pathname + page.search : '/';
}
