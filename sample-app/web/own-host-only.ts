import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Settings } from '../settings/settings.js';

/**
 * Sends who came by another name (localhost, most of all) to the one that cookies and OAuth redirects are bound to,
 * and lets no foreign name that resolves to this machine reach the application.
 */
export function ownHostOnly({ host, origin }: Pick<Settings, 'host' | 'origin'>) {
  return (request: IncomingMessage, response: ServerResponse, next: () => void): void => {
    if (request.headers.host === host) return next();
    if (request.method === 'GET' && request.url?.startsWith('/')) {
      response.writeHead(302, { location: origin + request.url }).end();
    } else {
      response.writeHead(421, { 'content-type': 'text/plain' }).end(`This application is at ${origin}\n`);
    }
  };
}
