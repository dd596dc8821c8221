const MINUTE = 60_000;

/** Failed tries of a record after which its rest grows no longer. */
export const LONGEST_REST_FROM = 7;

/**
 * Milliseconds after its last failed try in which a record that failed `attempts` times is not tried again by
 * itself, however often its lane is worked on: the other changes of a busy account would spend its attempts.
 */
export const restAfter = (attempts: number): number =>
  attempts < LONGEST_REST_FROM ? MINUTE * 2 ** (attempts - 1) : 60 * MINUTE;
