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
  // Declared only: a dump of the error shows what is known, and no list of what is not.
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
