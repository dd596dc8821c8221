/** Stored errors are for operators, and the answer of a PDS has no limit of its own. */
const MAX_ERROR = 2_000;

/** An error as it is stored, the same in every storage. PostgreSQL cannot store NUL. */
export const readable = (text: string): string => text.replaceAll('\0', '').slice(0, MAX_ERROR);
