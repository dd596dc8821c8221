export interface NetworkChildOptions {
  readonly pdsPort: number | undefined;
  readonly plcPort: number | undefined;
  readonly publicUrl: string | undefined;
  readonly rateLimits: boolean;
}

/** The first message of the child, once both servers listen. */
export interface NetworkReady {
  readonly pdsPort: number;
  readonly plcPort: number;
  readonly publicUrl: string;
  readonly dataDirectory: string;
  readonly adminPassword: string;
  readonly rateLimitBypassKey: string;
}

export interface CommitOperation {
  readonly action: 'create' | 'update' | 'delete';
  /** `<collection>/<rkey>`. */
  readonly path: string;
  /** CID of the record; null after a delete. */
  readonly cid: string | null;
}

/** A commit of a repository, as the firehose announced it. */
export interface RepositoryCommit {
  /** Sequence number over all repositories of the PDS. */
  readonly seq: number;
  /** Revision, a TID that only grows within one repository. */
  readonly rev: string;
  /** CID of the commit. */
  readonly cid: string;
  /** Revision before this one; null for the commit that made the repository. */
  readonly since: string | null;
  /**
   * In the order of the event; empty for the commit that created the repository, and for an empty
   * `applyWrites`.
   */
  readonly ops: readonly CommitOperation[];
}

/** The requests that the parent may send over IPC. */
export interface NetworkCommands {
  startPds(): Promise<void>;
  stopPds(abruptly: boolean): Promise<void>;
  startPlc(): Promise<void>;
  stopPlc(): Promise<void>;
  commits(did: string): Promise<RepositoryCommit[]>;
  oauthSessions(did: string): Promise<number>;
  revokeSessions(did: string): Promise<number>;
  expireAccessTokens(did: string): Promise<number>;
  stop(): Promise<void>;
}

/** The process of the servers, for requests that XRPC has no method for. */
export interface NetworkServers {
  readonly pid: number;
  request<K extends keyof NetworkCommands>(
    command: K,
    ...args: Parameters<NetworkCommands[K]>
  ): Promise<Awaited<ReturnType<NetworkCommands[K]>>>;
  stop(): Promise<void>;
}

export interface NetworkRequest {
  readonly id: number;
  readonly command: keyof NetworkCommands;
  readonly args: readonly unknown[];
}

export type NetworkMessage =
  | { readonly ready: NetworkReady }
  | { readonly reply: number; readonly result?: unknown; readonly error?: string };
