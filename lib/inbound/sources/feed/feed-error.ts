/** A connection that broke or could not be opened. The message says why, with the service's host. */
export class FeedError extends Error {
  /** Of the HTTP answer that refused the websocket. */
  readonly status: number | undefined;
  /** The `error` of an XRPC answer or frame, such as `FutureCursor`. */
  readonly code: string | undefined;

  constructor(message: string, { status, code }: { readonly status?: number; readonly code?: string } = {}) {
    super(message);
    this.name = 'FeedError';
    this.status = status;
    this.code = code;
  }
}
