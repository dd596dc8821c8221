/** What a `ParityError` knows about its sync; all of it is optional, and none is secret. */
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
  // Only declared: a dump of the error shows the known properties, and no list of unknown ones.
  declare did: string | undefined;
  declare uri: string | undefined;
  declare entityName: string | undefined;
  declare entityId: string | undefined;

  constructor(message: string, context: ParityErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.name = new.target.name;
    this.about(context);
  }

  /** Fills in what was not known where the error arose. */
  about(context: Omit<ParityErrorContext, 'cause'>): this {
    for (const name of ['did', 'uri', 'entityName', 'entityId'] as const) {
      const value = context[name];
      if (value !== undefined) this[name] ??= value;
    }
    return this;
  }
}
