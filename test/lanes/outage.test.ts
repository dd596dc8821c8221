import { jest } from '@jest/globals';
import { RecordPublished } from 'nestjs-parity';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Sessions } from '../support/sessions.js';
import { Post, User, blog } from '../support/entities/blog.js';
import { describeDatabase, type DatabaseKind } from '../support/databases.js';
import { html } from '../support/fault-proxy.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { until } from '../support/until.js';
import { partsOf } from '../support/pending-parts.js';

const EDITS = 1_000;
jest.setTimeout(120_000);

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.startOwn();
});
afterAll(() => servers[Symbol.asyncDispose]());

for (const kind of ['sqlite', 'postgres'] satisfies DatabaseKind[]) {
  describeDatabase(kind)(`${EDITS} edits of one entity during an outage (${kind})`, () => {
    it('make one commit afterwards, with the last content, if the port of the PDS was closed', async () => {
      const { network } = servers;
      const outage = { begin: () => network.stopPds(), end: () => network.startPds() };
      expect(await operationsAfter(outage, kind, network.pdsUrl)).toEqual([['update']]);
    });

    it('make one commit afterwards, with the last content, if a gateway answered 503', async () => {
      const { proxy } = servers;
      const outage = {
        begin: () => proxy.fault(() => true, html(503), Infinity),
        end: () => proxy.reset(),
      };
      // A write that got this answer may still be on its way. Before the next write, a fence (an empty
      // commit) keeps it out.
      expect(await operationsAfter(outage, kind, proxy.url)).toEqual([[], ['update']]);
    });
  });
}

interface Outage {
  begin(): unknown;
  end(): unknown;
}

/** What each commit that came after the outage did. */
async function operationsAfter(outage: Outage, database: DatabaseKind, url: string): Promise<string[][]> {
  const account = await servers.account();
  const { did } = account;
  const sessions = new Sessions();
  sessions.agents.set(did, servers.agentAt(url, await servers.agent(account)));
  const app = await aParityApp({
    model: blog,
    sessions,
    database,
    mode: 'background',
    storage: 'database',
  });
  const untilDone = () => until(async () => !(await app.parity.hasPendingSyncs(did)));
  const posts = app.repository(Post);
  const user = await app.repository(User).save({ did } as User);
  const post = await posts.save(posts.create({ content: 'before', user }));
  await untilDone();
  const before = (await servers.network.commits(did)).length;
  app.taken(RecordPublished);

  await outage.begin();
  for (let edit = 1; edit <= EDITS; edit++)
    await posts.save(Object.assign(post, { content: `edit ${edit}` }));
  expect(await app.parity.countPendingSyncs(did)).toBe(1);
  // An attempt under way has read an earlier content, and would publish that.
  await until(() => isBackedOff(app));
  await outage.end();
  await fifteenMinutesLater(app);
  await untilDone();

  const { atpUri, atpCid } = await posts.findOneByOrFail({ id: post.id });
  const record = await servers.network.getRecord(atpUri!);
  expect(record).toMatchObject({ cid: atpCid, value: { text: `edit ${EDITS}` } });
  expect(app.taken(RecordPublished)).toHaveLength(1);
  await app.stop();
  const commits = (await servers.network.commits(did)).slice(before);
  return commits.map(({ ops }) => ops.map(({ action }) => action));
}

async function isBackedOff(app: ParityApp): Promise<boolean> {
  const [lane] = await app.dataSource.query<{ failures: number; leased: boolean }[]>(
    'SELECT failures, leased FROM parity_lane',
  );
  return Number(lane?.failures ?? 0) > 0 && !lane?.leased;
}

/** The longest that a lane backs off. */
async function fifteenMinutesLater(app: ParityApp): Promise<void> {
  await app.dataSource.query(
    'UPDATE parity_lane SET ready_at = ready_at - 900000000, retry_at = retry_at - 900000000 WHERE NOT leased',
  );
  partsOf(app.module).loop.notify();
}
