import type { Feed } from '../feed/feed.js';
import type { FeedError } from '../feed/feed-error.js';
import type { FeedConnection, FeedSocket } from '../feed/feed-socket.js';
import { jsonOf, Unreadable } from '../feed/fields.js';
import { Wanted } from '../feed/wanted.js';
import type { OpenOptions, SourceEvent } from '../record-source.js';
import type { SourceAddress } from '../source-address.js';
import type { TapAdmin } from './tap-admin.js';
import { readTapMessage } from './tap-event.js';

/** Tap's websocket. Tap keeps the position: it sends each message again until it is acknowledged. */
export class TapFeed implements Feed {
  readonly cursor = null;
  private readonly wanted: Wanted;
  /** Messages that were read since the last acknowledgement. A message that Tap sends again is among them. */
  private readonly unacknowledged = new Set<number>();
  /** Acknowledgements that no connection took. */
  private readonly owed = new Set<number>();

  constructor(
    private readonly address: SourceAddress,
    private readonly admin: TapAdmin,
    private readonly options: OpenOptions,
    private readonly skip: (reason: string) => void,
  ) {
    this.wanted = new Wanted(options);
  }

  connection(): FeedConnection {
    return { url: this.address.ws('/channel'), headers: { authorization: this.admin.authorization } };
  }

  async opened(socket: FeedSocket, signal: AbortSignal): Promise<SourceEvent[]> {
    this.acknowledged(socket);
    await this.admin.addAccounts(this.address, this.options.accounts ?? [], signal);
    return [];
  }

  read(message: Buffer): SourceEvent[] {
    const { id, events, skipped } = readTapMessage(bodyOf(message), this.wanted);
    if (skipped !== null) this.skip(skipped);
    if (id === null) return [];
    if (this.unacknowledged.has(id)) return [];
    this.unacknowledged.add(id);
    return [...events];
  }

  acknowledged(socket: FeedSocket): void {
    for (const id of this.unacknowledged) this.owed.add(id);
    this.unacknowledged.clear();
    for (const id of this.owed) {
      if (!socket.send(JSON.stringify({ type: 'ack', id }))) return;
      this.owed.delete(id);
    }
  }

  failed({ status }: FeedError): void {
    if (status === 401) throw this.admin.refusedBy(this.address.host);
  }
}

/** Undefined for what is no JSON: no message of Tap is that. */
function bodyOf(message: Buffer): unknown {
  try {
    return jsonOf(message);
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}
