/**
 * How long a shutdown waits for work under way, in ms. Work that has not ended by then stays pending where it
 * is kept.
 */
export const SHUTDOWN_LIMIT = 10_000;
