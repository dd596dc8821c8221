import { decodeAll } from '@atproto/lex-cbor';
import { lexToJson, type JsonValue } from '@atproto/lex-json';
import { readCar } from '@atproto/repo';
import { WebSocket } from 'ws';

/** What happened on the PDS, one entry for each record, as Jetstream and Tap tell it. */
export interface LogEntry {
  readonly kind: 'commit' | 'account' | 'identity' | 'sync';
  readonly did: string;
  readonly collection: string | null;
  /** For a commit `rev`, `operation`, `collection`, `rkey`, `cid`, `record`; else the event of the PDS. */
  readonly fields: Readonly<Record<string, unknown>>;
}

interface Op {
  readonly action: string;
  readonly path: string;
  readonly cid: Parameters<Awaited<ReturnType<typeof readCar>>['blocks']['get']>[0] | null;
}

/** Reads `subscribeRepos` of a PDS with the packages of the AT Protocol, not with ours. */
export class PdsLog implements AsyncDisposable {
  readonly entries: LogEntry[] = [];
  /** By DID, the latest revision. */
  readonly revs = new Map<string, string>();
  private readonly listeners = new Set<() => void>();
  private reading = Promise.resolve();

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => {
      this.reading = this.reading.then(() => this.read(data));
    });
  }

  static async start(pdsUrl: string): Promise<PdsLog> {
    const socket = new WebSocket(`${pdsUrl.replace('http', 'ws')}/xrpc/com.atproto.sync.subscribeRepos`);
    const log = new PdsLog(socket);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return log;
  }

  /** @returns what takes the listener away */
  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.terminate();
    await this.reading;
  }

  private async read(data: Buffer): Promise<void> {
    const [header, body] = [...decodeAll(data)] as unknown as [{ t?: string }, Record<string, unknown>];
    const kind = header.t?.slice(1);
    if (kind === 'commit') await this.commit(body);
    else if (kind === 'account' || kind === 'identity' || kind === 'sync') {
      const { blocks: _, ...fields } = body;
      this.entries.push({ kind, did: String(body['did']), collection: null, fields });
    }
    for (const listener of this.listeners) listener();
  }

  private async commit(body: Record<string, unknown>): Promise<void> {
    const { blocks } = await readCar(body['blocks'] as Uint8Array);
    for (const { action, path, cid } of body['ops'] as Op[]) {
      const [collection = '', rkey = ''] = path.split('/');
      const common = { rev: body['rev'], operation: action, collection, rkey };
      const fields =
        cid === null ? common : { ...common, cid: cid.toString(), record: recordOf(blocks.get(cid)) };
      this.entries.push({ kind: 'commit', did: String(body['repo']), collection, fields });
    }
    this.revs.set(String(body['repo']), String(body['rev']));
  }
}

function recordOf(bytes: Uint8Array | undefined): JsonValue {
  if (bytes === undefined) throw new Error('The PDS told a commit without the block of its record');
  const [value] = decodeAll(bytes);
  return lexToJson(value as Parameters<typeof lexToJson>[0]);
}
