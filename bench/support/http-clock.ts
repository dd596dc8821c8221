import { performance } from 'node:perf_hooks';

/** How long at least one request was under way, from its start to the last byte of its answer. */
export class HttpClock {
  private passed = 0;
  private underWay = 0;
  private since = 0;

  /** In milliseconds. */
  get time(): number {
    return this.passed + (this.underWay > 0 ? performance.now() - this.since : 0);
  }

  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    if (this.underWay++ === 0) this.since = performance.now();
    try {
      const response = await globalThis.fetch(input, init);
      const body = await response.arrayBuffer();
      const { status, statusText, headers } = response;
      return new Response(body.byteLength === 0 ? null : body, { status, statusText, headers });
    } finally {
      if (--this.underWay === 0) this.passed += performance.now() - this.since;
    }
  };
}
