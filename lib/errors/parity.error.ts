/** What a `ParityError` knows about the sync that it belongs to; all of it optional, none of it secret. */
export interface ParityErrorContext {
  readonly did?: string | undefined;
  readonly uri?: string | undefined;
  readonly entityName?: string | undefined;
  /** The primary key as a string (a single key as it is, a composite key as JSON). */
  readonly entityId?: string | undefined;
  readonly cause?: unknown;
}

/** Base of every error that this package throws. `code` is stable; the message is for people. */
export abstract class ParityError extends Error {
  abstract readonly code: string;
  did: string | undefined;
  uri: string | undefined;
  entityName: string | undefined;
  entityId: string | undefined;

  constructor(message: string, context: ParityErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.name = new.target.name;
    this.did = context.did;
    this.uri = context.uri;
    this.entityName = context.entityName;
    this.entityId = context.entityId;
  }

  /** Fills in what was not known where the error arose. */
  about(context: Omit<ParityErrorContext, 'cause'>): this {
    this.did ??= context.did;
    this.uri ??= context.uri;
    this.entityName ??= context.entityName;
    this.entityId ??= context.entityId;
    return this;
  }
}
