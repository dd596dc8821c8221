import { Recent } from '../runtime/recent.js';

const MAX_HOSTS = 10_000;
/** In ms. After an hour the PDS may have been updated. */
const REMEMBERED_MS = 3_600_000;

/** What PDS hosts cannot do, as this process finds out. Each inability is logged once. */
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

  /** Whether the host has refused a fence (an `applyWrites` without writes) lately. */
  refusesFences(host: string): boolean {
    return (this.unfenced.get(host) ?? 0) > Date.now();
  }

  fenceTaken(host: string): void {
    this.failed.set(host, 0);
  }

  /** @param answer what the host said */
  fenceRefused(host: string, answer: string): void {
    this.unfenced.set(host, Date.now() + REMEMBERED_MS);
    this.tellNoFence(host, answer);
  }

  /**
   * A fence got no answer, or one that may have other reasons.
   *
   * @returns how many such fences there were in a row
   */
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

/** A PDS that answers other calls, and fails so many fences in a row, will fail the next one, too. */
export const FENCES_IN_A_ROW = 3;
