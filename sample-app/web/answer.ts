import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Html } from '../views/html.js';

type Shown = { readonly page: () => Html } | { readonly redirect: string };

/** What a handler answers: data for programs, a page or the way to one for browsers. */
export class Answer {
  private constructor(
    readonly data: unknown,
    private readonly shown: Shown,
    private readonly status: number | undefined,
  ) {}

  static page(data: unknown, page: () => Html, status?: number): Answer {
    return new Answer(data, { page }, status);
  }

  /** @param status for programs; browsers get 303 */
  static redirect(data: unknown, redirect: string, status?: number): Answer {
    return new Answer(data, { redirect }, status);
  }

  /** Sets status and headers, and gives the body. */
  write(request: IncomingMessage, response: ServerResponse): string {
    response.setHeader('vary', 'accept, content-type, cookie');
    response.setHeader('cache-control', 'no-store');
    if (this.status !== undefined) response.statusCode = this.status;
    if (wantsJson(request)) {
      response.setHeader('content-type', 'application/json; charset=utf-8');
      return `${JSON.stringify(this.data, null, 2)}\n`;
    }
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.setHeader(
      'content-security-policy',
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    );
    // Not 'no-referrer', which would make browsers send 'Origin: null' with our own forms.
    response.setHeader('referrer-policy', 'same-origin');
    response.setHeader('x-content-type-options', 'nosniff');
    if ('page' in this.shown) return this.shown.page().text;
    response.statusCode = 303;
    response.setHeader('location', this.shown.redirect);
    return '';
  }
}

/** As ParityExceptionFilter has it: who does not ask for HTML is a program. */
function wantsJson({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  const { accept = '', 'content-type': type = '' } = headers;
  return !accept.includes('text/html') || [accept, type].some((one) => one.includes('application/json'));
}
