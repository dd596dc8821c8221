import { Recent } from '../../../runtime/recent.js';
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
  /** Acknowledged over this connection. A copy that Tap had sent before is no news. */
  private committed = new Recent<number, true>(10_000);
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
    // The numbers of a Tap that was set up anew begin again.
    this.committed = new Recent(10_000);
    this.acknowledged(socket);
    await this.admin.addAccounts(this.address, this.options.accounts ?? [], signal);
    return [];
  }

  read(message: Buffer): SourceEvent[] {
    const { id, events, skipped } = readTapMessage(bodyOf(message), this.wanted);
    const isCopy = id !== null && (this.unacknowledged.has(id) || this.committed.get(id) === true);
    if (id !== null) this.unacknowledged.add(id);
    if (isCopy) return [];
    if (skipped !== null) this.skip(skipped);
    return [...events];
  }

  acknowledged(socket: FeedSocket): void {
    for (const id of this.unacknowledged) this.owed.add(id);
    this.unacknowledged.clear();
    for (const id of this.owed) {
      if (!socket.send(JSON.stringify({ type: 'ack', id }))) return;
      this.owed.delete(id);
      this.committed.set(id, true);
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
