/** The text of an error, for the middle of another message. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
