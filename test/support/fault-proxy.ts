import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer | string;
}

/** One request that came in, and what can be done with it. */
export interface Exchange {
  readonly method: string;
  /** The XRPC method (`com.atproto.repo.applyWrites`), or the path of anything else. */
  readonly nsid: string;
  readonly url: string;
  /** The parsed JSON body; undefined without one. */
  readonly body: unknown;
  readonly headers: IncomingMessage['headers'];
  /** Delivers it to the PDS, also when the client has gone. */
  forward(): Promise<Answer>;
  respond(answer: Answer): void;
  /** Breaks the client's connection (TCP reset). */
  cut(): void;
}

/** What becomes of a request instead of being passed on. */
export type Fault = (exchange: Exchange) => void | Promise<void>;
export type Matcher = string | ((exchange: Exchange) => boolean);

interface Rule {
  readonly matches: (exchange: Exchange) => boolean;
  readonly fault: Fault;
  times: number;
}

/** An `applyWrites` that is no fence. */
export const isWrite = ({ nsid, body }: Exchange): boolean =>
  nsid === 'com.atproto.repo.applyWrites' && (body as { writes: unknown[] }).writes.length > 0;

export const isFence = ({ nsid, body }: Exchange): boolean =>
  nsid === 'com.atproto.repo.applyWrites' && (body as { writes: unknown[] }).writes.length === 0;

export const actionsOf = ({ body }: Exchange): string[] =>
  (body as { writes: { $type: string }[] }).writes.map(({ $type }) => $type.split('#')[1] ?? '');

/** A reverse proxy in front of a PDS that does to single requests what networks and gateways do. */
export class FaultProxy implements AsyncDisposable {
  /** Every request so far. */
  readonly log: Exchange[] = [];
  /** Where to pass requests on to, `http://localhost:<port>`. */
  target = '';
  /**
   * Whether sessions are told that the PDS is here, for a PDS that calls itself by another address: clients go on
   * where the DID document of their login says.
   */
  takesSessions = false;
  private rules: Rule[] = [];

  private constructor(private readonly server: Server) {
    server.on('request', (request, response) => void this.handle(request, response));
  }

  static async start(): Promise<FaultProxy> {
    // A connection that is ended just when the next request comes would be a fault that nobody asked for.
    const server = createServer({ keepAliveTimeout: 0 });
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    return new FaultProxy(server);
  }

  get url(): string {
    return `http://localhost:${(this.server.address() as AddressInfo).port}`;
  }

  /** The next requests that match (`times` of them) meet this fault. Earlier rules go first. */
  fault(matcher: Matcher, fault: Fault, times = 1): void {
    const matches = typeof matcher === 'string' ? (exchange: Exchange) => exchange.nsid === matcher : matcher;
    this.rules.push({ matches, fault, times });
  }

  /** Forgets all rules and the log. */
  reset(): void {
    this.rules = [];
    this.log.length = 0;
  }

  /** XRPC methods in the order in which they came in. */
  get calls(): string[] {
    return this.log.map(({ nsid }) => nsid.split('.').at(-1) ?? nsid);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = await this.exchange(request, response);
    this.log.push(exchange);
    const rule = this.rules.find(({ matches, times }) => times > 0 && matches(exchange));
    if (rule) rule.times--;
    try {
      await (rule?.fault ?? pass)(exchange);
    } catch {
      // The PDS is away: so is its port, for whoever looks from outside.
      exchange.cut();
    }
  }

  private async exchange(request: IncomingMessage, response: ServerResponse): Promise<Exchange> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const { method = 'GET', url = '/', headers } = request;
    const path = url.split('?')[0] ?? url;
    return {
      method,
      url,
      headers,
      nsid: path.replace(/^\/xrpc\//, ''),
      body: headers['content-type']?.includes('json') ? (JSON.parse(body.toString()) as unknown) : undefined,
      forward: () => this.forward(method, url, headers, body),
      respond: (answer) => {
        if (response.destroyed || response.writableEnded) return;
        response.writeHead(answer.status, answer.headers);
        response.end(answer.body);
      },
      cut: () => request.socket.resetAndDestroy(),
    };
  }

  private toldHere({ status, headers, body }: Answer): Answer {
    const here = Buffer.from(body.toString().replaceAll(this.target, this.url));
    return { status, headers: { ...headers, 'content-length': String(here.length) }, body: here };
  }

  private forward(
    method: string,
    url: string,
    headers: IncomingMessage['headers'],
    body: Buffer,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      // No pooled connection, for the same reason.
      const outgoing = httpRequest(
        new URL(url, this.target),
        { method, headers, agent: false },
        (incoming) => {
          const parts: Buffer[] = [];
          incoming.on('data', (part: Buffer) => parts.push(part));
          incoming.on('error', reject);
          incoming.on('end', () => {
            const { 'transfer-encoding': _chunked, connection: _connection, ...kept } = incoming.headers;
            const told = { status: incoming.statusCode ?? 500, headers: kept, body: Buffer.concat(parts) };
            resolve(this.takesSessions && SESSION.test(url) ? this.toldHere(told) : told);
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}

const SESSION = /^\/xrpc\/com\.atproto\.server\.\w+Session\b/;

const pass: Fault = async (exchange) => exchange.respond(await exchange.forward());

/** Breaks the connection before the PDS has seen the request. */
export const resetBefore: Fault = (exchange) => exchange.cut();

/** Lets the PDS carry it out, and loses its answer. */
export const dropResponse: Fault = async (exchange) => {
  await exchange.forward();
  exchange.cut();
};

/** Passes it on after so many milliseconds. */
export const delay =
  (ms: number): Fault =>
  async (exchange) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    await pass(exchange);
  };

export const answer =
  (status: number, body: string | object, headers: Record<string, string> = {}): Fault =>
  (exchange) =>
    exchange.respond({
      status,
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: {
        'content-type':
          typeof body === 'string' ? 'text/html; charset=utf-8' : 'application/json; charset=utf-8',
        ...headers,
      },
    });

export const serverError: Fault = answer(500, {
  error: 'InternalServerError',
  message: 'Internal Server Error',
});
export const html = (status: number): Fault => answer(status, '<!doctype html><title>Hello</title>');

/**
 * Keeps a request for later: the client waits until it gives up, and the request lands when the test says so.
 */
export class Held {
  private exchange: Exchange | null = null;
  private arrive: () => void = () => undefined;
  /** Resolves when the request is here. */
  readonly arrived = new Promise<void>((resolve) => (this.arrive = resolve));

  readonly fault: Fault = (exchange) => {
    this.exchange = exchange;
    this.arrive();
  };

  /** The client gives up at once: its connection breaks, and it need not be impatient. */
  readonly lost: Fault = (exchange) => {
    this.fault(exchange);
    this.cut();
  };

  cut(): void {
    this.exchange?.cut();
  }

  /** Passes it on, and its answer back. */
  async release(): Promise<void> {
    const { exchange } = this;
    exchange?.respond(await this.land());
  }

  /** Delivers it to the PDS and returns what that answers; the client does not hear of it. */
  async land(): Promise<Answer> {
    if (!this.exchange) throw new Error('No request was held');
    return this.exchange.forward();
  }
}
