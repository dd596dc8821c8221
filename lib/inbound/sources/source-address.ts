import { wrong } from '../../model/option-checks.js';

/** The same service over HTTP and over a websocket, each without a slash at its end. */
export interface SourceAddress {
  /** Host and port, which name the service in cursors and messages. */
  readonly host: string;
  http(path: string): URL;
  ws(path: string): URL;
}

/**
 * @param name of the option, for the message
 * @throws ParityOptionsError for anything but the address of a server
 */
export function sourceAddress(name: string, value: unknown, example: string): SourceAddress {
  const accepted = `the address of the service, such as '${example}'`;
  const url = typeof value === 'string' ? URL.parse(value) : null;
  if (url === null || !/^(?:wss?|https?):$/.test(url.protocol)) throw wrong(name, value, accepted);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw wrong(
      name,
      `${url.protocol}//…@${url.host}`,
      `${accepted}, without a password, a query or a fragment`,
    );
  const secure = url.protocol === 'wss:' || url.protocol === 'https:';
  const at = `${url.host}${url.pathname.replace(/\/+$/, '')}`;
  return {
    host: url.host,
    http: (path) => new URL(`${secure ? 'https' : 'http'}://${at}${path}`),
    ws: (path) => new URL(`${secure ? 'wss' : 'ws'}://${at}${path}`),
  };
}
