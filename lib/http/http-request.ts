import type { IncomingHttpHeaders } from 'node:http';

/** The part that requests of Express and Fastify share. */
export interface HttpRequest {
  readonly headers: IncomingHttpHeaders;
  /**
   * Host and port as the client named them; behind a proxy that the platform trusts, as the proxy reports
   * them.
   */
  readonly host?: string;
}
