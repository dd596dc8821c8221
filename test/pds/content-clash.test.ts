import type { Agent } from '@atproto/api';
import type { Account } from 'nestjs-parity/testing';
import { ContentClash, type Replacement } from '../../lib/pds/content-clash.js';
import { isWrite } from '../support/fault-proxy.js';
import { COLLECTION, WriterNetwork } from './fixtures.js';

const create = (to: string): Replacement => ({ action: 'create', from: null, to });
const update = (from: string | undefined, to: string): Replacement => ({ action: 'update', from, to });
const remove = (from: string | undefined): Replacement => ({ action: 'delete', from, to: null });

describe('ContentClash', () => {
  it.each([
    ['updates of different contents', [update('a', 'b'), update('c', 'd')], true],
    ['updates to one content', [update('a', 'b'), update('c', 'b')], true],
    ['creates of one content', [create('a'), create('a')], true],
    ['deletes of one content', [remove('a'), remove('a')], true],
    ['a delete and an update of one content', [remove('a'), update('a', 'b')], true],
    ['a delete and a create of different contents', [remove('a'), create('b')], true],
    ['a delete and a create of its content', [remove('a'), create('a')], false],
    ['a create and a delete of its content', [create('a'), remove('a')], false],
    ['a delete of what is not known and a create', [remove(undefined), create('a')], false],
    ['a create and a delete of what is not known', [create('a'), remove(undefined)], false],
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

/**
 * What the reference PDS does with one commit of two writes; the order of the writes in the request changes
 * nothing.
 */
describe('a commit of the reference PDS with one content in two writes', () => {
  const other = create('other');
  const never = { alone: '--', amongOthers: '--' };
  let servers: WriterNetwork;
  let account: Account;
  let agent: Agent;
  beforeAll(async () => {
    servers = await WriterNetwork.start();
    account = await servers.account();
    agent = await servers.agent(account);
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  const apply = (writes: readonly [rkey: string, Replacement][]) =>
    agent.com.atproto.repo.applyWrites({
      repo: account.did,
      validate: false,
      writes: writes.map(([rkey, { action, to }]) => ({
        $type: `com.atproto.repo.applyWrites#${action}`,
        collection: COLLECTION,
        rkey,
        ...(to !== null && { value: { $type: COLLECTION, text: to } }),
      })) as never,
    });

  /**
   * Whether a record is lost, with the key of the first write before that of the second, and after it: `-` or
   * `L`.
   */
  const outcome = async (
    first: Replacement,
    second: Replacement,
    more: readonly string[],
  ): Promise<string> => {
    let told = '';
    for (const [one, two] of [
      ['a1', 'n1'],
      ['n1', 'a1'],
    ] as const) {
      const writes: [string, Replacement][] = [
        [one, first],
        [two, second],
      ];
      const lost = new Set<boolean>();
      for (const order of [writes, writes.toReversed()]) {
        const before = writes.filter(([, { from }]) => from !== null);
        await apply([
          ...before.map(([rkey, { from }]): [string, Replacement] => [rkey, create(from!)]),
          ...more.map((rkey): [string, Replacement] => [rkey, other]),
        ]);
        await apply(order);
        const left = order.filter(([, { to }]) => to !== null).map(([rkey]) => rkey);
        const found = await Promise.all(
          left.map((rkey) => servers.network.getRecord(`at://${account.did}/${COLLECTION}/${rkey}`)),
        );
        lost.add(found.includes(null));
        await apply([...left, ...more].map((rkey) => [rkey, remove(undefined)]));
      }
      expect(lost.size).toBe(1);
      told += lost.has(true) ? 'L' : '-';
    }
    return told;
  };

  it.each([
    ['delete, create', remove('x'), create('x'), { alone: '-L', amongOthers: '--' }],
    ['delete, update', remove('x'), update('z', 'x'), { alone: 'LL', amongOthers: 'L-' }],
    ['update, create', update('x', 'y'), create('x'), { alone: '-L', amongOthers: '-L' }],
    ['update, update', update('x', 'y'), update('z', 'x'), { alone: 'LL', amongOthers: 'LL' }],
    ['update to the same, delete', update('x', 'x'), remove('x'), { alone: 'LL', amongOthers: 'LL' }],
    ['create, create', create('x'), create('x'), never],
    ['create, update to it', create('x'), update('z', 'x'), never],
    ['updates to it', update('z', 'x'), update('w', 'x'), never],
    ['delete, delete', remove('x'), remove('x'), never],
    ['delete, update from it', remove('x'), update('x', 'y'), never],
    ['updates from it', update('x', 'y'), update('x', 'z'), never],
  ] as [string, Replacement, Replacement, typeof never][])('%s', async (_name, first, second, expected) => {
    const others = Array.from('bcdfghjklmopqrstvwxz', (letter) => `${letter}2`);
    expect({
      alone: await outcome(first, second, []),
      amongOthers: await outcome(first, second, others),
    }).toEqual(expected);
    // Whatever loses a record in one of the cases never shares a commit.
    const clash = new ContentClash();
    clash.admits(first);
    expect(clash.admits(second)).toBe(expected === never);
  });

  it('keeps a content that a later commit takes from another key', async () => {
    await apply([
      ['a1', create('x')],
      ['n1', create('x')],
    ]);
    await apply([['a1', remove('x')]]);
    expect(await servers.network.getRecord(`at://${account.did}/${COLLECTION}/n1`)).not.toBeNull();
  });
});

describe('RepositoryWriter with equal contents', () => {
  let servers: WriterNetwork;
  beforeAll(async () => {
    servers = await WriterNetwork.start();
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
