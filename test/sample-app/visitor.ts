export interface Row {
  readonly id: number;
  readonly content: string;
  readonly status: string;
  readonly uri: string | null;
  readonly waiting: boolean;
}

export interface PendingRow {
  readonly operation: string;
  readonly postId: number;
  readonly content: string | null;
  readonly uri: string;
  readonly attempts: number;
  readonly lastError: string | null;
  readonly since: string;
}

/** What browsers send when they open a page or send a form. */
const PAGE = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

/** A browser, or curl with a cookie jar. Follows no redirect by itself. */
export class Visitor {
  readonly #cookies = new Map<string, string>();

  constructor(readonly origin: string) {}

  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.#request('GET', path, { ...PAGE, ...headers });
  }

  async page(path: string): Promise<string> {
    return (await this.get(path)).text();
  }

  /** A form of the list of posts, or of the page that `headers.referer` names. */
  submit(path: string, fields: Record<string, string> = {}, headers: Record<string, string> = {}) {
    return this.#request(
      'POST',
      path,
      {
        ...PAGE,
        origin: this.origin,
        referer: `${this.origin}/posts`,
        'sec-fetch-site': 'same-origin',
        ...headers,
      },
      new URLSearchParams(fields),
    );
  }

  json(method: string, path: string, body?: unknown): Promise<Response> {
    return body === undefined
      ? this.#request(method, path, { accept: '*/*' })
      : this.#request(method, path, { 'content-type': 'application/json' }, JSON.stringify(body));
  }

  /** The rows that the visitor sees, newest first. */
  async rows(): Promise<Row[]> {
    const answer = (await (await this.json('GET', '/posts')).json()) as { posts: Row[] };
    return answer.posts;
  }

  /** What waits for the visitor's PDS, oldest first. */
  async pending(): Promise<PendingRow[]> {
    const answer = (await (await this.json('GET', '/pending')).json()) as { pending: PendingRow[] };
    return answer.pending;
  }

  async #request(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: string | URLSearchParams,
  ): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(this.origin + path, {
      method,
      headers: { ...headers, ...(cookie && { cookie }) },
      redirect: 'manual',
      ...(body !== undefined && { body }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '') this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return response;
  }
}
