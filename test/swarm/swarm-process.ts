/** One process of a swarm: it writes at random, in its mode, until it is killed or stopped. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, CredentialSession, type AtpSessionData } from '@atproto/api';
import type { SyncMode } from 'nestjs-parity';
import { DataSource, QueryFailedError } from 'typeorm';
import { notebookApplication } from '../kill/notebook-application.js';
import { random } from '../kill/random.js';
import { randomWrite, SHARED_WRITES } from '../kill/random-writes.js';
import { Owner } from '../support/entities/notebook.js';
import { Sessions } from '../support/sessions.js';
import { perform } from '../property/writes.js';

export interface SwarmProcessInput {
  readonly mode: SyncMode;
  /** The longest pause between two writes, in ms. */
  readonly pause: number;
  readonly seed: number;
  readonly pdsUrl: string;
  readonly database: object;
  /** Signed in already: a process that lives for seconds has no time for it. */
  readonly sessions: readonly AtpSessionData[];
}

const input = JSON.parse(process.argv[2] ?? '{}') as SwarmProcessInput;
const sessions = new Sessions();
for (const data of input.sessions) {
  const session = new CredentialSession(new URL(input.pdsUrl));
  session.session = data;
  sessions.agents.set(data.did, new Agent(session as ConstructorParameters<typeof Agent>[0]));
}
const app = await notebookApplication(input.database, {
  sessions,
  sync: { mode: input.mode, deadlineMs: 1_000 },
  pds: { timeoutMs: 1_000 },
});
// Only now: until there is an application to stop, the signal ends the process.
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const { manager } = app.get(DataSource);
const owners = await manager.find(Owner, { order: { id: 'ASC' } });
const numbers = random(input.seed);

async function write(): Promise<void> {
  await perform(randomWrite(numbers, SHARED_WRITES, { accounts: owners.length }), manager, owners);
  process.send?.('written');
}

/**
 * The other processes insert the same keys and lock the same rows. When it is stopped, the DataSource closes
 * under the last write.
 */
function mayFail(error: unknown): void {
  if (!stop.signal.aborted && !(error instanceof QueryFailedError)) throw error;
}

while (!stop.signal.aborted || app.get(DataSource).isInitialized) {
  await write().catch(mayFail);
  await sleep(numbers.integer(input.pause));
}
