import { UNKNOWN_REPOSITORY } from '../../lib/pds/repository-state.store.js';
import { COLLECTION, WriterNetwork, rejection } from './fixtures.js';
import { resetBefore, actionsOf, isWrite } from '../support/fault-proxy.js';

describe('RepositoryWriter, undisturbed and beside others', () => {
  let servers: WriterNetwork;
  beforeAll(async () => {
    servers = await WriterNetwork.start();
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  const calls = (): string[] => servers.proxy.calls;

  it('asks for the head once, and then makes one request per write', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    expect(calls()).toEqual(['getLatestCommit', 'applyWrites']);
    servers.proxy.reset();
    await app.save({ a: 'two' });
    await app.save({ b: 'one' });
    await app.save({ a: null });
    expect(calls()).toEqual(['applyWrites', 'applyWrites', 'applyWrites']);
    expect(await servers.notes(app)).toEqual({ b: 'one' });
    expect(app.views.filter(({ verified }) => verified)).toEqual([]);
  });

  it('reports what it wrote, and the head', async () => {
    const app = await servers.app();
    const told: string[] = [];
    const report = await app.save(
      { a: 'one', b: 'two' },
      { onCommit: async (writes, { cid, rev }) => void told.push(`${writes.length} ${cid} ${rev}`) },
    );
    const commit = (await servers.network.commits(app.did)).at(-1);
    expect(report.committed.map(({ action, address }) => `${action} ${address.rkey}`)).toEqual([
      'create a',
      'create b',
    ]);
    expect(report.head).toBe(commit?.cid);
    expect(told).toEqual([`2 ${commit?.cid} ${commit?.rev}`]);
    expect(report.refused.size + report.found.size).toBe(0);
  });

  it('makes no request when there is nothing to write', async () => {
    const app = await servers.app();
    const report = await app.save({ a: null });
    expect(calls()).toEqual([]);
    expect(report).toMatchObject({ committed: [], head: null });
  });

  it('reads back what a first write updates or deletes', async () => {
    const app = await servers.app();
    await app.save({ a: 'one', b: 'one' });
    await app.state.settled(app.did, UNKNOWN_REPOSITORY);
    servers.proxy.reset();
    await app.save({ a: 'two', b: null });
    expect(calls().toSorted()).toEqual(['applyWrites', 'getLatestCommit', 'getRecord', 'getRecord']);
    expect(calls()[0]).toBe('getLatestCommit');
    expect(calls().at(-1)).toBe('applyWrites');
    expect(app.views.at(-1)?.verified).toBe(true);
    expect(await servers.notes(app)).toEqual({ a: 'two' });
  });

  it('reads back at once where it is asked to', async () => {
    const app = await servers.app();
    await app.agent.com.atproto.repo.createRecord({
      repo: app.did,
      collection: COLLECTION,
      rkey: 'self',
      record: { $type: COLLECTION, text: 'theirs' },
    });
    servers.proxy.reset();
    await app.save({ self: 'ours' }, { verify: true });
    expect(calls()).toEqual(['getLatestCommit', 'getRecord', 'applyWrites']);
    expect(app.foreign).toEqual(new Set([app.uri('self')]));
    expect(await servers.notes(app)).toEqual({ self: 'ours' });
  });

  it('needs no scope but that of its writes', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    await app.save({ a: 'two', b: 'other' });
    await app.save({ a: null });
    expect(servers.proxy.log.filter(isWrite).map(actionsOf)).toEqual([
      ['create'],
      ['update', 'create'],
      ['delete'],
    ]);
  });

  it('decides again when somebody else has written in between', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    const other = { repo: app.did, collection: COLLECTION, rkey: 'other' };
    await app.agent.com.atproto.repo.createRecord({ ...other, record: { text: 'theirs' } });
    servers.proxy.reset();
    const report = await app.save({ a: 'two' });
    expect(calls()).toEqual(['applyWrites', 'getLatestCommit', 'getRecord', 'applyWrites']);
    expect(report.committed).toHaveLength(1);
    expect(await servers.notes(app)).toEqual({ a: 'two', other: 'theirs' });
    servers.proxy.reset();
    await app.save({ a: 'three' });
    expect(calls()).toEqual(['applyWrites']);
  });

  it('sees an edit of somebody else before it overwrites it', async () => {
    const app = await servers.app();
    await app.save({ a: 'one', b: 'one' });
    const { repo } = app.agent.com.atproto;
    await repo.putRecord({
      repo: app.did,
      collection: COLLECTION,
      rkey: 'a',
      record: { $type: COLLECTION, text: 'theirs' },
    });
    await repo.deleteRecord({ repo: app.did, collection: COLLECTION, rkey: 'b' });
    await app.save({ a: 'two', b: 'two' });
    expect(app.foreign).toEqual(new Set([app.uri('a'), app.uri('b')]));
    expect(await servers.notes(app)).toEqual({ a: 'two', b: 'two' });
  });

  it('creates fresh keys beside a busy client without reading them back', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    await app.agent.com.atproto.repo.createRecord({
      repo: app.did,
      collection: COLLECTION,
      record: { text: 'theirs' },
    });
    servers.proxy.reset();
    await app.save({ b: 'one' });
    expect(calls()).toEqual(['applyWrites', 'getLatestCommit', 'applyWrites']);
  });

  it('gives up for now when somebody else is always faster', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    const busy = async (): Promise<void> => {
      await app.agent.com.atproto.repo.createRecord({
        repo: app.did,
        collection: COLLECTION,
        record: { text: 'theirs' },
      });
    };
    servers.proxy.fault(
      isWrite,
      async (exchange) => {
        await busy();
        exchange.respond(await exchange.forward());
      },
      Number.POSITIVE_INFINITY,
    );
    const error = await rejection(app.save({ b: 'one' }));
    expect(error).toMatchObject({ code: 'PDS_UNAVAILABLE', did: app.did });
    expect(error.message).toContain('another client keeps writing');
    expect(await app.state.load(app.did)).toMatchObject({ inFlight: null });
    servers.proxy.reset();
    await app.save({ b: 'one' });
    expect(await servers.notes(app)).toMatchObject({ b: 'one' });
  });

  it('writes for one DID one after the other, and for others meanwhile', async () => {
    const [one, two] = [await servers.app(), await servers.app()];
    two.writer = one.writer;
    await one.save({ a: '0' });
    await two.save({ a: '0' });
    servers.proxy.reset();
    await Promise.all(
      [1, 2, 3, 4, 5].flatMap((count) => [one.save({ a: `${count}` }), two.save({ a: `${count}` })]),
    );
    expect(calls()).toEqual(Array(10).fill('applyWrites'));
    expect(await servers.notes(one)).toEqual({ a: '5' });
    expect(await servers.notes(two)).toEqual({ a: '5' });
  });

  it('survives a failing onCommit without writing twice', async () => {
    const app = await servers.app();
    const fail = async (): Promise<void> => {
      throw new Error('the database is away');
    };
    const before = new Map(app.remembered);
    await expect(app.save({ a: 'one' }, { onCommit: fail })).rejects.toThrow('the database is away');
    app.remembered.clear();
    for (const [uri, cid] of before) app.remembered.set(uri, cid);
    const report = await app.save({ a: 'one' });
    expect(report.committed).toEqual([]);
    expect([...report.found.keys()]).toEqual([app.uri('a')]);
    expect(await servers.commits(app)).toEqual([['create a']]);
    servers.proxy.reset();
    await app.save({ a: 'two' });
    expect(app.foreign.size).toBe(0);
  });

  it('leaves nothing to fence when it is stopped before it sends', async () => {
    const app = await servers.app();
    await app.save({ a: 'one' });
    servers.proxy.reset();
    servers.proxy.fault(isWrite, resetBefore);
    const error = await rejection(app.save({ a: 'two' }, { signal: AbortSignal.abort() }));
    expect(error).toMatchObject({ code: 'PDS_UNAVAILABLE' });
    expect(calls()).toEqual([]);
    expect(await app.state.load(app.did)).toMatchObject({ inFlight: null });
  });
});
