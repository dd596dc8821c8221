import type { FeedConnection } from '../feed/feed-socket.js';
import type { Fields } from '../feed/fields.js';
import type { SourceEvent } from '../record-source.js';
import type { SourceAddress } from '../source-address.js';

/** What is asked of a host. */
export interface JetstreamRequest {
  readonly address: SourceAddress;
  /** Of the last event that was read from this host; null to begin with what happens from now on. */
  readonly position: number | null;
  /** Null for all. */
  readonly accounts: readonly string[] | null;
  readonly collections: readonly string[];
}

/** A commit of one record, as both versions have it. */
export interface JetstreamCommit {
  readonly did: string;
  /** Has `rev`, `operation`, `collection`, `rkey`, and `cid` and `record` unless the record was deleted. */
  readonly fields: Fields;
}

export type JetstreamMessage =
  | { readonly position: number; readonly commit: JetstreamCommit }
  | { readonly position: number; readonly event: SourceEvent }
  | { readonly position: number; readonly unknown: string }
  | { readonly notice: Fields }
  | { readonly error: string; readonly message: string };

/** How one version of Jetstream is asked and read. */
export interface JetstreamDialect {
  readonly name: string;
  connection(request: JetstreamRequest): FeedConnection;
  /** What is sent once the connection is open, where the request does not fit into its URL. */
  hello(request: JetstreamRequest): string | null;
  /** @returns why the host cannot go on after the position, as far as the position itself tells */
  isTooOld(position: number): string | null;
  /** @throws Unreadable */
  read(message: Buffer): JetstreamMessage;
}
