import { LocalNetworkError } from './local-network.error.js';
import type { NetworkReady } from './network-protocol.js';

type Json = Record<string, unknown>;

/**
 * The requests of the helpers to the PDS, outside its rate limits: the looks of a test must not cost the
 * application its points.
 */
export class NetworkXrpc {
  readonly #pdsUrl: string;
  readonly #bypass: Record<string, string>;
  readonly #admin: Record<string, string>;

  constructor(pdsUrl: string, { adminPassword, rateLimitBypassKey }: NetworkReady) {
    this.#pdsUrl = pdsUrl;
    this.#bypass = { 'x-ratelimit-bypass': rateLimitBypassKey };
    const credentials = Buffer.from(`admin:${adminPassword}`).toString('base64');
    this.#admin = { authorization: `Basic ${credentials}` };
  }

  get(nsid: string, params: Record<string, string>): Promise<Json> {
    return this.#send(nsid, `?${new URLSearchParams(params)}`, { headers: this.#bypass });
  }

  post(nsid: string, body: object): Promise<Json> {
    const headers = {
      ...this.#bypass,
      'content-type': 'application/json',
      ...(nsid.startsWith('com.atproto.admin.') ? this.#admin : {}),
    };
    return this.#send(nsid, '', { method: 'POST', headers, body: JSON.stringify(body) });
  }

  /**
   * @throws LocalNetworkError whose `cause` is the XRPC error's name (`RecordNotFound`) if the PDS gives one
   */
  async #send(nsid: string, query: string, init: RequestInit): Promise<Json> {
    const response = await fetch(`${this.#pdsUrl}/xrpc/${nsid}${query}`, init);
    const text = await response.text();
    const json = (text ? JSON.parse(text) : {}) as Json;
    if (response.ok) return json;
    throw new LocalNetworkError(`${nsid}: ${response.status} ${text}`, { cause: json['error'] });
  }
}
