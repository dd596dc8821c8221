const causeOf = (error: unknown): unknown => (error as { readonly cause?: unknown }).cause;

/**
 * An error, its cause, the cause's cause ...; ends at a circle.
 *
 * @param next gives the cause of an error
 */
export function* causesOf(error: unknown, next = causeOf): Generator<unknown> {
  const seen = new Set<unknown>();
  for (let one = error; one != null && !seen.has(one); one = next(one)) {
    seen.add(one);
    yield one;
  }
}
