import { jest } from '@jest/globals';
import { Agent, CredentialSession } from '@atproto/api';
import { PendingSyncManager } from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';
import { Sessions } from '../support/sessions.js';
import { Post, User, blog } from '../support/entities/blog.js';
import { describeDatabase, type DatabaseKind } from '../support/databases.js';
import { aParityApp } from '../support/parity-app.js';
import { sharedNetwork } from '../support/shared-network.js';
import { until } from '../support/until.js';

const ACCOUNTS = 10;
jest.setTimeout(120_000);

let network: LocalNetwork;
beforeAll(async () => {
  network = await sharedNetwork();
});

for (const kind of ['sqlite', 'postgres'] satisfies DatabaseKind[]) {
  describeDatabase(kind)(`when half of ${ACCOUNTS} accounts lose their sessions midway (${kind})`, () => {
    it('parked accounts cost no request and no attempt, the others go on, and after the next sign-in every record is there', async () => {
      const sessions = new CountingSessions();
      const app = await aParityApp({
        model: blog,
        sessions,
        database: kind,
        mode: 'background',
        storage: 'database',
        pendingSyncs: { autoRetry: true },
      });
      const { parity } = app;
      const users: User[] = [];
      for (let number = 1; number <= ACCOUNTS; number++) {
        const did = await sessions.begin(`${kind}${number}.test`);
        users.push(await app.repository(User).save({ did } as User));
      }
      const posts = app.repository(Post);
      const texts: string[] = [];
      const everybodyWrites = async (changes: number): Promise<void> => {
        for (const end = texts.length + changes; texts.length < end;) {
          const content = `post ${texts.length + 1}`;
          texts.push(content);
          for (const user of users) await posts.save(posts.create({ content, user }));
        }
      };
      const dids = users.map(({ did }) => did);
      const [lost, others] = [dids.slice(0, ACCOUNTS / 2), dids.slice(ACCOUNTS / 2)];
      const untilDone = (some: readonly string[]) =>
        until(
          async () => !(await Promise.all(some.map((did) => parity.hasPendingSyncs(did)))).includes(true),
          30_000,
        );

      await everybodyWrites(5);
      for (const did of lost) sessions.revoke(did);
      await everybodyWrites(4);
      await until(async () => (await parity.stats()).parked === lost.length);
      const before = lost.map((did) => sessions.counted(did));
      await everybodyWrites(1);
      await untilDone(others);

      expect(lost.map((did) => sessions.counted(did))).toEqual(before);
      const manager = app.module.get(PendingSyncManager);
      for (const did of lost) {
        const pending = await manager.forDid(did);
        expect(pending.length).toBeGreaterThanOrEqual(5);
        expect(pending.filter(({ attempts }) => attempts > 0)).toEqual([]);
      }

      for (const did of lost) {
        sessions.signIn(did);
        await parity.sessionAvailable(did);
      }
      await untilDone(dids);
      for (const did of dids) {
        const records = await network.listRecords(did, 'app.bsky.feed.post');
        expect(records.map(({ value }) => value['text']).toSorted()).toEqual(texts.toSorted());
      }
      await app.stop();
    });
  });
}

/** Counts, for each account, how often its agent was asked for, and what the agent sent. */
class CountingSessions extends Sessions {
  private readonly asked = new Map<string, number>();
  private readonly sent = new Map<string, number>();

  async begin(handle: string): Promise<string> {
    const { did, password } = await network.createAccount({ handle });
    const session = new CredentialSession(new URL(network.pdsUrl), (input, init) => {
      this.sent.set(did, (this.sent.get(did) ?? 0) + 1);
      return fetch(input, init);
    });
    await session.login({ identifier: did, password });
    this.agents.set(did, new Agent(session as ConstructorParameters<typeof Agent>[0]));
    return did;
  }

  override agentFor(did: string): Promise<Agent> {
    this.asked.set(did, (this.asked.get(did) ?? 0) + 1);
    return super.agentFor(did);
  }

  counted(did: string): { asked: number; sent: number } {
    return { asked: this.asked.get(did) ?? 0, sent: this.sent.get(did) ?? 0 };
  }
}
