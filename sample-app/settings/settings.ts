import { randomBytes } from 'node:crypto';
import { buildAtprotoLoopbackClientMetadata } from '@atproto/oauth-client-node';
import { parseAtUri, type OAuthOptions } from 'nestjs-parity';

export interface SettingsInput {
  readonly port: number;
  readonly pdsUrl: string;
  readonly plcUrl: string;
  /** A file, or ':memory:'. */
  readonly database?: string;
  /** Whether pages offer what `DevelopmentController` does. */
  readonly isDevelopment?: boolean;
}

export class Settings {
  /** An OAuth client on this machine is reached at 127.0.0.1; the protocol does not allow 'localhost' there. */
  readonly host: string;
  readonly origin: string;
  readonly database: string;
  readonly isDevelopment: boolean;
  /** Signs cookies; new with each start, like the OAuth sessions, which are kept in memory. */
  readonly cookieSecret = randomBytes(32);
  readonly oauth: OAuthOptions;
  readonly pdsUrl: string;

  constructor({ port, pdsUrl, plcUrl, database = ':memory:', isDevelopment = false }: SettingsInput) {
    this.host = `127.0.0.1:${port}`;
    this.origin = `http://${this.host}`;
    this.database = database;
    this.isDevelopment = isDevelopment;
    this.pdsUrl = pdsUrl;
    this.oauth = {
      clientMetadata: buildAtprotoLoopbackClientMetadata({
        scope: 'atproto repo:app.bsky.feed.post',
        redirect_uris: [`${this.origin}/oauth/callback`],
      }),
      // The three that a local network needs, and production does without.
      plcDirectoryUrl: plcUrl,
      handleResolver: pdsUrl,
      allowHttp: true,
    };
  }

  /** Where the PDS itself tells what a record holds. */
  recordUrl(uri: string): string | null {
    const address = parseAtUri(uri);
    if (!address) return null;
    const { did, collection, rkey } = address;
    return `${this.pdsUrl}/xrpc/com.atproto.repo.getRecord?${new URLSearchParams({ repo: did, collection, rkey })}`;
  }
}
