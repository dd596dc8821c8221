import { ContentClash, type Replacement } from '../../lib/pds/content-clash.js';
import { FaultyNetwork, isWrite } from './fixtures.js';

const create = (to: string): Replacement => ({ action: 'create', from: null, to });
const update = (from: string | undefined, to: string): Replacement => ({ action: 'update', from, to });
const remove = (from: string | undefined): Replacement => ({ action: 'delete', from, to: null });

describe('ContentClash', () => {
  it.each([
    ['updates of different contents', [update('a', 'b'), update('c', 'd')], true],
    ['updates to one content', [update('a', 'b'), update('c', 'b')], true],
    ['a delete and a create of its content', [remove('a'), create('a')], true],
    ['a delete of what is not known and a create', [remove(undefined), create('a')], true],
    ['an update that changes nothing', [update('a', 'a')], true],
    ['a swap', [update('a', 'b'), update('b', 'a')], false],
    ['a content that moves from a delete to an update', [remove('a'), update('b', 'a')], false],
    ['a content that moves from an update to a delete', [update('b', 'a'), remove('a')], false],
    ['a content that moves from an update to a create', [update('a', 'b'), create('a')], false],
    ['a content that is created and then taken away elsewhere', [create('a'), update('a', 'b')], false],
    ['an update of what is not known, and anything', [update(undefined, 'b'), create('a')], false],
    ['anything, and an update of what is not known', [create('a'), update(undefined, 'b')], false],
    ['a delete of what is not known and an update', [remove(undefined), update('b', 'a')], false],
  ] as [string, Replacement[], boolean][])('judges %s', (_name, [first, second], together) => {
    const clash = new ContentClash();
    expect(clash.admits(first as Replacement)).toBe(true);
    expect(second === undefined || clash.admits(second)).toBe(together);
  });
});

describe('RepositoryWriter with equal contents', () => {
  let servers: FaultyNetwork;
  beforeAll(async () => {
    servers = await FaultyNetwork.start();
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  it('keeps two records that swap their contents, which the PDS would lose in one commit', async () => {
    const app = await servers.app();
    await app.save({ a: 'x', b: 'y', c: 'z' });
    await app.save({ a: 'y', b: 'x', c: 'w' });
    expect(await servers.notes(app)).toEqual({ a: 'y', b: 'x', c: 'w' });
    await app.save({ a: null, b: 'y' });
    expect(await servers.notes(app)).toEqual({ b: 'y', c: 'w' });
    await app.save({ b: 'w', c: 'y', d: 'y', e: 'w' });
    expect(await servers.notes(app)).toEqual({ b: 'w', c: 'y', d: 'y', e: 'w' });
  });

  it('updates many in one request all the same', async () => {
    const app = await servers.app({ timeoutMs: 10_000 });
    const texts = (version: number) =>
      Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`r${index}`, `${version} ${index}`]));
    await app.save(texts(1));
    servers.proxy.reset();
    await app.save(texts(2));
    expect(servers.proxy.calls).toEqual(['applyWrites']);
    expect(servers.proxy.log.filter(isWrite)).toHaveLength(1);
  });
});
