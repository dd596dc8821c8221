import type { FaultyNetwork } from '../pds/fixtures.js';
import { Sessions } from '../property/sessions.js';

/** A new account with a session that ends and begins when the test says so. */
export async function signedIn(servers: FaultyNetwork): Promise<{ did: string; sessions: Sessions }> {
  const account = await servers.account();
  const sessions = new Sessions();
  sessions.agents.set(account.did, await servers.agent(account));
  return { did: account.did, sessions };
}
