import type { IncomingHttpHeaders } from 'node:http';

/** What the requests of Express and Fastify have in common. */
export interface HttpRequest {
  readonly headers: IncomingHttpHeaders;
  /** Host and port as the client named them; behind a proxy that the platform trusts, as it told the proxy. */
  readonly host?: string;
}
