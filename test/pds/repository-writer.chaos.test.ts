import { RepositoryWriter } from '../../lib/pds/repository-writer.js';
import { dropResponse, type Fault, Held, html, resetBefore, serverError } from '../support/fault-proxy.js';
import { COLLECTION, WriterNetwork } from './fixtures.js';

/** mulberry32: the same numbers for the same seed. */
function random(seed: number) {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    chance: (part: number) => next() < part,
    pick: <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T,
  };
}

describe('RepositoryWriter under random faults', () => {
  let servers: WriterNetwork;
  beforeAll(async () => {
    servers = await WriterNetwork.start();
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  it.each([1, 2, 3, 4, 5, 6])(
    'ends in parity, and never takes its own work for that of somebody else (seed %d)',
    async (seed) => {
      const { chance, pick } = random(seed);
      const app = await servers.app();
      const somebody = servers.agentAt(servers.network.pdsUrl, app.agent);
      const wanted: Record<string, string | null> = {};
      const touched = new Set<string>();
      const late: Held[] = [];
      const hold: Fault = (exchange) => {
        const held = new Held();
        late.push(held);
        void held.lost(exchange);
      };
      const faults = [dropResponse, resetBefore, hold, hold, html(502), html(200), serverError];
      const keys = ['a', 'b', 'c', 'd'];

      for (let step = 0; step < 25; step++) {
        const changed = keys.filter(() => chance(0.4));
        for (const key of changed) wanted[key] = chance(0.25) ? null : pick(['x', 'y', `step ${step}`]);
        if (chance(0.6)) servers.proxy.fault('com.atproto.repo.applyWrites', pick(faults), pick([1, 2, 3]));
        if (chance(0.1)) servers.proxy.fault('com.atproto.repo.getRecord', pick(faults));
        if (chance(0.1)) servers.proxy.fault('com.atproto.sync.getLatestCommit', pick(faults));
        if (chance(0.15)) {
          const rkey = pick(keys);
          touched.add(app.uri(rkey));
          const record = { $type: COLLECTION, text: 'theirs' };
          const address = { repo: app.did, collection: COLLECTION, rkey };
          await (chance(0.3)
            ? somebody.com.atproto.repo.deleteRecord(address)
            : somebody.com.atproto.repo.putRecord({ ...address, record }));
        }
        // A process that dies after a commit and before it has told the database.
        const dies = chance(0.15);
        const onCommit = async (): Promise<void> => {
          if (dies) throw new Error('died');
        };
        const before = new Map(app.remembered);
        const subset = Object.fromEntries(changed.map((key) => [key, wanted[key] ?? null]));
        await app.save(subset, { onCommit }).catch((error: Error) => {
          if (error.message !== 'died') return;
          app.remembered.clear();
          for (const [uri, cid] of before) app.remembered.set(uri, cid);
        });
        if (chance(0.2)) app.restart();
        if (chance(0.3))
          await late
            .shift()
            ?.land()
            .catch(() => undefined);
      }

      servers.proxy.reset();
      app.writer = new RepositoryWriter({ state: app.state });
      // What somebody else has done to records that we do not touch any more is found by looking.
      await app.save(Object.fromEntries(keys.map((key) => [key, wanted[key] ?? null])), { verify: true });
      for (const held of late) await held.land().catch(() => undefined);
      const expected = Object.entries(wanted).filter(([, text]) => text !== null);
      expect(await servers.notes(app)).toEqual(Object.fromEntries(expected));
      expect([...app.foreign].filter((uri) => !touched.has(uri))).toEqual([]);
      expect(await app.state.load(app.did)).toMatchObject({ inFlight: null, unsettled: {} });
      servers.proxy.reset();
      await app.save({ a: 'last' });
      expect(servers.proxy.calls.filter((call) => call === 'applyWrites')).toHaveLength(1);
    },
    60_000,
  );
});
