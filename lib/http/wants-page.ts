import type { HttpRequest } from './http-request.js';

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json$/;
const PAGE_TYPE = /^(?:text\/html|application\/xhtml\+xml)$/;

/**
 * Whether a person waits for a page, which is so for a client that prefers HTML to JSON. A client that takes
 * anything (`fetch`, curl) is a program, because only programs do not ask for HTML; so is one that sends
 * JSON, or says that it is a script.
 */
export function wantsPage({ headers }: HttpRequest): boolean {
  const [contentType = ''] = (headers['content-type'] ?? '').split(';');
  if (JSON_TYPE.test(contentType.trim().toLowerCase())) return false;
  if (String(headers['x-requested-with']).toLowerCase() === 'xmlhttprequest') return false;
  const accepted = parseAccept(headers.accept ?? '');
  return qualityOf(accepted, PAGE_TYPE) > qualityOf(accepted, JSON_TYPE);
}

type Accepted = readonly { readonly type: string; readonly quality: number }[];

function qualityOf(accepted: Accepted, wanted: RegExp): number {
  return Math.max(0, ...accepted.filter(({ type }) => wanted.test(type)).map(({ quality }) => quality));
}

/** RFC 9110, section 12.5.1; a weight that cannot be read counts as 1. */
function parseAccept(accept: string): Accepted {
  return accept.split(',').map((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = weight === undefined ? 1 : Number(weight.slice(2));
    return { type, quality: Number.isNaN(quality) ? 1 : quality };
  });
}
