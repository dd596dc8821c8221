import { Recent } from '../runtime/recent.js';

const MAX_HOSTS = 10_000;
/** In ms. An hour later the PDS may have been updated. */
const REMEMBERED_MS = 3_600_000;

/** What PDS hosts cannot do, as this process finds out; each inability is told once. */
export class HostTraits {
  private readonly told = new Recent<string, true>(MAX_HOSTS);
  private readonly unfenced = new Recent<string, number>(MAX_HOSTS);
  private readonly failed = new Recent<string, number>(MAX_HOSTS);

  constructor(private readonly warn: (message: string) => void) {}

  tell(host: string, inability: string, message: string): void {
    const key = `${host} ${inability}`;
    if (this.told.get(key) === undefined) this.warn(message);
    this.told.set(key, true);
  }

  /** Whether the host has said lately that it takes no fence (an `applyWrites` without writes). */
  refusesFences(host: string): boolean {
    return (this.unfenced.get(host) ?? 0) > Date.now();
  }

  fenceTaken(host: string): void {
    this.failed.set(host, 0);
  }

  /** @param answer what it said */
  fenceRefused(host: string, answer: string): void {
    this.unfenced.set(host, Date.now() + REMEMBERED_MS);
    this.tellNoFence(host, answer);
  }

  /** A fence without an answer, or with one that may mean anything. @returns how many there were in a row */
  fenceFailed(host: string, answer: string): number {
    const times = (this.failed.get(host) ?? 0) + 1;
    this.failed.set(host, times);
    if (times === FENCES_IN_A_ROW) this.tellNoFence(host, answer);
    return times;
  }

  private tellNoFence(host: string, answer: string): void {
    this.tell(
      host,
      'fence',
      `The PDS ${host} takes no applyWrites without writes (${answer}), by which a request whose answer was lost is kept ` +
        'from landing later: such requests are waited for until they must have ended.',
    );
  }
}

/** So many that fail one after the other, at a PDS that answers what it is asked, will not work the next time. */
export const FENCES_IN_A_ROW = 3;
