/** What an error says, for a message that goes on with it. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
