const MINUTE = 60_000;

/** After how many failed attempts the rest of a record no longer grows. */
export const LONGEST_REST_FROM = 7;

/**
 * How long a record that has failed `attempts` times rests after its last failed attempt, in ms. It is not
 * attempted automatically meanwhile, however often its lane is worked on; otherwise the other changes of a
 * busy account would use up its attempts.
 */
export const restAfter = (attempts: number): number =>
  attempts < LONGEST_REST_FROM ? MINUTE * 2 ** (attempts - 1) : 60 * MINUTE;
