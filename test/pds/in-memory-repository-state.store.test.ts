import { InMemoryRepositoryStateStore } from '../../lib/pds/in-memory-repository-state.store.js';
import { KeyedQueue } from '../../lib/runtime/keyed-queue.js';
import { isInDoubt, type RepositoryState } from '../../lib/pds/repository-state.store.js';

const calm = (head: string): RepositoryState => ({ head, inFlight: null, unsettled: {}, spentPoints: [] });
const busy = (head: string): RepositoryState => ({
  head,
  inFlight: { head, until: 0, cids: { 'at://a': 'b' } },
  unsettled: {},
  spentPoints: [],
});

describe('InMemoryRepositoryStateStore', () => {
  it('gives null for what it never saw', async () => {
    const store = new InMemoryRepositoryStateStore();
    expect(await store.load('did:a')).toBeNull();
    await store.settled('did:a', calm('1'));
    expect(await store.load('did:a')).toEqual(calm('1'));
    expect(await store.load('did:b')).toBeNull();
  });

  it('drops what was written longest ago, and what is in flight last', async () => {
    const store = new InMemoryRepositoryStateStore();
    await store.sending('did:busy', busy('1'));
    await store.settled('did:a', calm('1'));
    await store.settled('did:b', calm('1'));
    const others = Array.from({ length: 9_998 }, (_, index) => `did:${index}`);
    for (const did of others) await store.settled(did, calm('1'));
    expect(await store.load('did:busy')).toEqual(busy('1'));
    expect(await store.load('did:a')).toBeNull();
    expect(await store.load('did:b')).not.toBeNull();
    for (const did of ['did:b', ...others, 'did:c']) await store.sending(did, busy('2'));
    expect(await store.load('did:busy')).toBeNull();
    expect(await store.load('did:b')).not.toBeNull();
  });

  it('knows which addresses are in doubt', () => {
    expect(isInDoubt(null, 'at://a')).toBe(false);
    expect(isInDoubt(busy('1'), 'at://a')).toBe(true);
    expect(isInDoubt(busy('1'), 'at://b')).toBe(false);
    expect(isInDoubt({ ...calm('1'), unsettled: { 'at://b': [null] } }, 'at://b')).toBe(true);
  });
});

describe('KeyedQueue', () => {
  it('goes on after a failure, keeps the order, and forgets idle keys', async () => {
    const lock = new KeyedQueue();
    const order: number[] = [];
    const failing = lock.run('a', async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      order.push(1);
      throw new Error('no');
    });
    const following = lock.run('a', async () => order.push(2));
    const other = lock.run('b', async () => order.push(0));
    await expect(failing).rejects.toThrow('no');
    await Promise.all([following, other]);
    expect(order).toEqual([0, 1, 2]);
    expect(lock.size).toBe(0);
  });
});
