/** An application that is killed. It works in background mode on its database, until it dies. */
import type { Death } from './death.js';
import { live } from './doomed-application.js';

export interface KillProcessInput {
  readonly pdsUrl: string;
  readonly database: object;
  /** The last one is the quiet one. */
  readonly accounts: readonly { readonly did: string; readonly password: string }[];
  readonly seed: number;
  /** null: works until nothing is pending, and ends by itself. */
  readonly death: Death | null;
}

await live(JSON.parse(process.argv[2] ?? '{}') as KillProcessInput);
process.disconnect?.();
process.exit(0);
