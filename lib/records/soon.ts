/** When to look again at what another transaction holds: in a second. */
export const soon = (): Date => new Date(Date.now() + 1_000);
