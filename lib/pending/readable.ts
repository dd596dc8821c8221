/** An error is for people; what a PDS answers has no limit. */
const MAX_ERROR = 2_000;

/** An error as it is kept, the same in every storage. PostgreSQL stores no NUL. */
export const readable = (text: string): string => text.replaceAll('\0', '').slice(0, MAX_ERROR);
