import type { Kind } from './kinds.js';

/** Repositories keep their history. */
const SEQUENCES_A_STAGE = 100;

/** Stages for many sequences, one after the other. */
export class Stages<S extends AsyncDisposable> implements AsyncDisposable {
  private played = 0;
  private readonly began = performance.now();
  private stage: S | undefined;

  constructor(
    private readonly kind: Kind,
    private readonly set: () => Promise<S>,
  ) {}

  /**
   * @param play one sequence; where it fails the repositories may be broken, so that stage is not used again
   */
  async use(play: (stage: S) => Promise<void>): Promise<void> {
    this.stage ??= await this.set();
    try {
      await play(this.stage);
    } catch (error) {
      await this.leave();
      throw error;
    }
    this.played++;
    if (this.played % SEQUENCES_A_STAGE !== 0) return;
    this.tell();
    await this.leave();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.tell();
    await this.leave();
  }

  private tell(): void {
    const speed = (this.played / (performance.now() - this.began)) * 1_000;
    const name = Object.values(this.kind).join(', ');
    process.stdout.write(`${name}: ${this.played} sequences, ${speed.toFixed(1)} a second\n`);
  }

  private async leave(): Promise<void> {
    await this.stage?.[Symbol.asyncDispose]();
    this.stage = undefined;
  }
}
