import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  RepositoryReader,
  type RepositoryReaderOptions,
} from '../../../lib/pds/reading/repository.reader.js';
import {
  AccountDirectory,
  type AccountDirectoryOptions,
} from '../../../lib/pds/reading/account.directory.js';
import { SigningKey } from './hand-made-repository.js';

export type Answer = (response: ServerResponse, request: IncomingMessage) => unknown;

export const json =
  (body: unknown, status = 200): Answer =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

export const error = (status: number, name: string): Answer => json({ error: name, message: name }, status);

export const car =
  (bytes: Uint8Array): Answer =>
  (response) =>
    response.writeHead(200, { 'content-type': 'application/vnd.ipld.car' }).end(bytes);

/** A PDS and the directory of its accounts: it answers what a test says. */
export class HandMadePds implements AsyncDisposable {
  readonly did = 'did:plc:abcdefghijklmnopqrstuvwx';
  key = new SigningKey();
  /** By NSID. */
  readonly answers: Record<string, Answer> = {};
  /** By DID; undefined for the document of the account. */
  document: Answer | undefined;
  readonly requests: string[] = [];
  private readonly server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
    const name = decodeURIComponent(pathname.split('/').at(-1) ?? '');
    const isQuery = pathname.startsWith('/xrpc/');
    this.requests.push(isQuery ? name : `document of ${name}`);
    const known = isQuery ? this.answers[name] : (this.document ?? this.documentOf(name));
    void (known ?? error(501, 'MethodNotImplemented'))(response, Object.assign(request, { search }));
  });

  static async start(): Promise<HandMadePds> {
    const pds = new HandMadePds();
    pds.server.listen(0, '127.0.0.1');
    await once(pds.server, 'listening');
    return pds;
  }

  get url(): string {
    return `http://localhost:${(this.server.address() as AddressInfo).port}`;
  }

  directory(options: AccountDirectoryOptions = {}): AccountDirectory {
    return new AccountDirectory({ plcDirectoryUrl: this.url, allowHttp: true, ...options });
  }

  reader(options: RepositoryReaderOptions = {}): RepositoryReader {
    return new RepositoryReader(this.directory(), { allowHttp: true, ...options });
  }

  documentOf(id: string, changes: object = {}): Answer {
    return json({
      '@context': ['https://www.w3.org/ns/did/v1'],
      id,
      alsoKnownAs: ['at://alice.test'],
      verificationMethod: [
        { id: `${id}#atproto`, type: 'Multikey', controller: id, publicKeyMultibase: this.key.multibase },
      ],
      service: [{ id: '#atproto_pds', type: 'AtprotoPersonalDataServer', serviceEndpoint: this.url }],
      ...changes,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
