import { type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { LocalNetworkError } from './local-network.error.js';

const API = '/@atproto/oauth-provider/~api';
const CSRF_COOKIE = 'csrf-token';

export interface AuthorizationDecision {
  /** Refuse at the consent page: the app's callback gets `error=access_denied`. */
  readonly deny?: boolean;
  /** Grant only these scopes (separated by spaces) of what the app asked for. */
  readonly scope?: string;
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

/**
 * The authorization pages of a PDS, used as a browser uses them: cookies, CSRF token, `Referer`, and the
 * `Sec-Fetch-*` headers, which `fetch` cannot set.
 */
export class AuthorizationPages {
  readonly #page: URL;
  readonly #cookies = new Map<string, string>();

  constructor(authorizeUrl: string | URL) {
    this.#page = new URL(authorizeUrl);
  }

  /** Goes from the authorize page to the redirect to the app, which is returned and not followed. */
  async run(
    account: { readonly did: string; readonly handle: string; readonly password: string },
    decision: AuthorizationDecision,
  ): Promise<URL> {
    const page = await this.#navigate(this.#page, 'cross-site');
    // A request that cannot go on (prompt=none, for one) sends the browser straight back to the app.
    if (page.location !== undefined) return new URL(page.location, this.#page);
    const url = decision.deny ? await this.#reject() : await this.#consent(account, decision.scope);
    const back = await this.#navigate(new URL(url, this.#page), 'same-origin');
    if (back.location === undefined) throw this.#refusal('redirect page', back);
    return new URL(back.location);
  }

  async #consent(
    account: { readonly did: string; readonly handle: string; readonly password: string },
    scope: string | undefined,
  ): Promise<string> {
    const { handle, password, did } = account;
    const signedIn = await this.#call('sign-in', {
      locale: 'en',
      username: handle,
      password,
      remember: false,
    });
    const token = String(signedIn['ephemeralToken']);
    const consent = await this.#call('consent', scope === undefined ? { did } : { did, scope }, token);
    return String(consent['url']);
  }

  async #reject(): Promise<string> {
    return String((await this.#call('reject', {}))['url']);
  }

  async #call(endpoint: string, body: object, token?: string): Promise<Record<string, unknown>> {
    const answer = await this.#send(
      new URL(`${API}/${endpoint}`, this.#page),
      {
        'content-type': 'application/json',
        accept: 'application/json',
        origin: this.#page.origin,
        referer: this.#page.href,
        'sec-fetch-mode': 'same-origin',
        'sec-fetch-site': 'same-origin',
        'sec-fetch-dest': 'empty',
        'x-csrf-token': this.#cookies.get(CSRF_COOKIE) ?? '',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      JSON.stringify(body),
    );
    if (answer.status !== 200) throw this.#refusal(endpoint, answer);
    return JSON.parse(answer.body) as Record<string, unknown>;
  }

  async #navigate(url: URL, site: 'cross-site' | 'same-origin'): Promise<Answer> {
    const answer = await this.#send(url, {
      accept: 'text/html',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
      'sec-fetch-site': site,
      ...(site === 'same-origin' ? { referer: this.#page.href } : {}),
    });
    if (answer.status >= 400) throw this.#refusal(`${url.pathname} page`, answer);
    return answer;
  }

  async #send(url: URL, headers: Record<string, string>, body?: string): Promise<Answer> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = send(url, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { 'user-agent': 'nestjs-parity local network', ...headers, ...(cookie && { cookie }) },
        // A pooled connection would outlive the flow and hold up the PDS when it stops.
        agent: false,
      });
      request.once('response', resolve).once('error', reject).end(body);
    });
    for (const line of response.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=;]+)=([^;]*)/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) this.#cookies.set(name.trim(), value);
    }
    response.setEncoding('utf8');
    let text = '';
    for await (const chunk of response) text += chunk;
    return { status: response.statusCode ?? 0, location: response.headers.location, body: text };
  }

  #refusal(what: string, answer: Answer): LocalNetworkError {
    return new LocalNetworkError(
      `The PDS refused the ${what}: ${answer.status} ${answer.body.slice(0, 500)}`,
    );
  }
}
