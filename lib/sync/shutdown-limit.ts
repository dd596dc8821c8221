/**
 * In ms: how long a shutdown waits for the work under way. What is left then stays pending, where it is kept.
 */
export const SHUTDOWN_LIMIT = 10_000;
