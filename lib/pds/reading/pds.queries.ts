import { XRPCError } from '@atproto/api';
import { ParityError } from '../../errors/parity.error.js';
import { IdentityError } from '../../errors/identity.error.js';
import { PdsUnavailableError } from '../../errors/pds-unavailable.error.js';
import { reasonOf } from '../../errors/reason-of.js';
import { UnexpectedError } from '../../errors/unexpected.error.js';
import { guardedDownload, isRefusedAddress } from '../../sessions/oauth/guarded-fetch.js';
import { askedAgain } from '../connection-failure.js';
import { isOfRequest } from '../failure.js';
import { isMethodMissing, said } from '../pds-answers.js';
import { readFailure } from '../reads.js';
import { DEFAULT_TIMEOUT_MS, xrpcCall } from '../xrpc-call.js';

/** Of an answer in JSON: a page of a hundred records may have a megabyte each. */
const MAX_JSON_BYTES = 128_000_000;
/** Of an error. */
const MAX_ERROR_BYTES = 100_000;

export interface QueryAnswer {
  readonly answer: Readonly<Record<string, unknown>>;
  /** Of its JSON. */
  readonly bytes: number;
}

export type QueryParameters = Readonly<Record<string, string | readonly string[] | number | boolean>>;

/** Queries of any PDS, without a session. Where an answer is an error, it is thrown as an XRPCError. */
export class PdsQueries {
  private readonly fetch: typeof globalThis.fetch;
  readonly timeoutMs: number;

  constructor({
    allowHttp = false,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  }: { readonly allowHttp?: boolean | undefined; readonly timeoutMs?: number | undefined } = {}) {
    this.fetch = askedAgain(allowHttp ? globalThis.fetch : guardedDownload(globalThis.fetch));
    this.timeoutMs = timeoutMs;
  }

  /** The answer, whose body is not read yet. */
  async open(
    pds: string,
    method: string,
    parameters: QueryParameters,
    signal: AbortSignal,
  ): Promise<Response> {
    const url = new URL(`/xrpc/${method}`, pds);
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, String(value));
    const response = await this.fetch(url, { signal });
    if (response.ok) return response;
    const headers = Object.fromEntries(response.headers);
    const text = new TextDecoder().decode(await readAll(response, MAX_ERROR_BYTES));
    const { error, message } = (parsed(text) ?? {}) as {
      readonly error?: unknown;
      readonly message?: unknown;
    };
    throw new XRPCError(response.status, asText(error), asText(message), headers);
  }

  async json(
    pds: string,
    method: string,
    parameters: QueryParameters,
    signal?: AbortSignal,
  ): Promise<QueryAnswer> {
    const { timeoutMs } = this;
    const bytes = await xrpcCall(
      async (limited) => readAll(await this.open(pds, method, parameters, limited), MAX_JSON_BYTES),
      { timeoutMs, signal },
    );
    const answer = parsed(new TextDecoder().decode(bytes));
    if (typeof answer === 'object' && answer !== null) {
      return { answer: answer as Record<string, unknown>, bytes: bytes.length };
    }
    throw new XRPCError(NO_XRPC_ANSWER, undefined, 'The answer is no JSON');
  }
}

/** What the clients of @atproto/api say of an answer with a 200 that is none. */
const NO_XRPC_ANSWER = 2;

const asText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readAll(response: Response, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop by an error cancels the rest.
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > limit)
      throw new XRPCError(NO_XRPC_ANSWER, undefined, `The answer has more than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Makes an error of this package of whatever a query failed with. */
export function queryFailure(
  error: unknown,
  method: string,
  { did, pds }: { readonly did: string; readonly pds: string },
): ParityError {
  if (error instanceof ParityError) return error;
  if (isRefusedAddress(error)) {
    return new IdentityError(
      `The PDS ${pds} of ${did} is not read: its address is not public.`,
      'refused-address',
      { did, cause: error },
    );
  }
  if (error instanceof XRPCError && error.headers !== undefined && isMethodMissing(error)) {
    return new PdsUnavailableError(
      `The PDS ${pds} does not have the method ${method} (${said(error)}), without which ${did} cannot be read.`,
      { did, cause: error },
    );
  }
  if (isOfRequest(error)) return readFailure(error, method, { did, pds });
  return new UnexpectedError(`Reading ${did} failed unexpectedly: ${reasonOf(error)}`, { did, cause: error });
}
