/** In ms. A source that is silent for less is never taken for stalled. */
const LEAST = 60_000;
/** How many of the usual pauses a silence has to last. */
const UNUSUAL = 20;
/** The weight of the latest pause in the usual one. */
const WEIGHT = 0.05;

/** Tells when a source is silent for longer than usual. */
export class SilenceWatch {
  private lastAt: number | null = null;
  private usual = 0;
  private isTold = false;

  constructor(private readonly now: () => number = () => Date.now()) {}

  heard(): void {
    const now = this.now();
    if (this.lastAt !== null) this.usual += WEIGHT * (now - this.lastAt - this.usual);
    this.lastAt = now;
    this.isTold = false;
  }

  /** Since when the source is silent, told once per silence; null while that is not unusual. */
  stalledSince(): Date | null {
    if (this.lastAt === null || this.isTold) return null;
    if (this.now() - this.lastAt < Math.max(LEAST, UNUSUAL * this.usual)) return null;
    this.isTold = true;
    return new Date(this.lastAt);
  }
}
