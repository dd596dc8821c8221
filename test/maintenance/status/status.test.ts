import { AuthenticationError, PendingSyncManager } from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';
import { Book, Library } from '../reconcile/library.js';
import { databaseKinds, describeDatabase } from '../../support/databases.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { partsOf } from '../../support/pending-parts.js';
import { leaseOf } from '../../pending/database-fixtures.js';
import { sharedNetwork } from '../../support/shared-network.js';

let network: LocalNetwork;
let library: Library;

beforeAll(async () => {
  network = await sharedNetwork();
});
afterEach(() => library.close());

const statusOf = (book: Book) => library.app.parity.statusOf(book);
const stats = () => library.app.parity.stats();
const store = () => partsOf(library.app.module).store;

for (const storage of ['database', 'cache'] as const) {
  for (const kind of storage === 'cache' ? (['sqlite'] as const) : databaseKinds) {
    describeDatabase(kind)(`status, with pending syncs in: ${storage} (${kind})`, () => {
      const pendingSyncs = { storage };

      it('synced, not eligible, pending', async () => {
        library = await Library.open(network, kind, { pendingSyncs });
        const book = await library.save('a book');
        expect(await statusOf(book)).toEqual({
          status: 'synced',
          uri: book.getAtpUri(),
          cid: book.getAtpCid(),
          syncedAt: expect.any(Date),
        });
        const hidden = await library.save('hidden', { visible: false });
        expect(await statusOf(hidden)).toEqual({
          status: 'not-eligible',
          reason: 'shouldAutoSync() is false',
          uri: null,
        });
        expect(await stats()).toEqual({ pending: 0, parked: 0, leased: 0, dead: 0, oldestWaiting: null });

        const manager = library.app.module.get(PendingSyncManager);
        const before = Date.now();
        await manager.capture(book, 'republish');
        expect(await statusOf(book)).toMatchObject({
          status: 'pending',
          operation: 'republish',
          reason: null,
        });
        expect(await stats()).toMatchObject({ pending: 1, oldestWaiting: expect.any(Date) });
        expect(Math.abs((await stats()).oldestWaiting!.getTime() - before)).toBeLessThan(5_000);
        const lease = await leaseOf(store(), library.did, 10_000);
        expect(await stats()).toMatchObject({ leased: 1 });
        await store().release(lease!, { next: 'asleep', failures: 0 });
        await manager.removeForDid(library.did);
      });

      it('parked, until the account signs in again', async () => {
        library = await Library.open(network, kind, { pendingSyncs, password: 'wrong' });
        await expect(library.save('a book')).rejects.toBeInstanceOf(AuthenticationError);
        const book = await library.find('a book');
        expect(await statusOf(book)).toMatchObject({
          status: 'parked',
          did: library.did,
          needs: 'sign-in',
          scope: null,
          reason: expect.any(String),
        });
        expect(await stats()).toMatchObject({ pending: 1, parked: 1 });
        await library.app.parity.sessionAvailable(library.did);
        expect(await statusOf(book)).toMatchObject({
          status: 'pending',
          reason: expect.stringContaining('retryPendingSyncs()'),
        });
      });

      it('parked for a scope', async () => {
        library = await Library.open(network, kind, { pendingSyncs });
        const book = await library.save('a book');
        await library.app.module.get(PendingSyncManager).capture(book);
        const [entry] = await store().at(library.did, [book.getAtpUri()!]);
        const lease = (await leaseOf(store(), library.did, 10_000))!;
        const failure = {
          uri: entry!.sync.uri,
          version: entry!.version,
          error: "The session lacks the scope 'repo:com.example.book'. Add it.",
          countsAttempt: false,
          needsSession: true,
        };
        await store().failed(lease, [failure]);
        await store().release(lease, { next: 'asleep', failures: 0 });
        expect(await statusOf(book)).toMatchObject({
          status: 'parked',
          needs: 'scope',
          scope: 'repo:com.example.book',
        });
      });

      it('a record that is corrected after its last attempt is published', async () => {
        library = await Library.open(network, kind, { pendingSyncs: { ...pendingSyncs, maxAttempts: 1 } });
        const book = await library.save('unmappable');
        expect(await statusOf(book)).toMatchObject({ status: 'failed', attempts: 1 });
        const lease = (await leaseOf(store(), library.did, 10_000))!;
        await library.app.repository(Book).save(Object.assign(book, { title: 'corrected' }));
        expect(await statusOf(book)).toMatchObject({ status: 'pending' });
        await store().release(lease, { next: 'asleep', failures: 0 });
        expect(await library.app.parity.retryPendingSyncs(library.did)).toMatchObject({ succeeded: 1 });
        expect(await statusOf(book)).toMatchObject({ status: 'synced' });
      });

      it('unpublishing what was never published keeps nothing, while nobody is signed in', async () => {
        library = await Library.open(network, kind, { pendingSyncs, password: 'wrong' });
        await expect(library.save('a book')).rejects.toBeInstanceOf(AuthenticationError);
        const hidden = await library.save('hidden', { visible: false });
        await library.app.module.get(PendingSyncManager).removeForDid(library.did);
        expect(await library.app.parity.unpublish(hidden)).toMatchObject({ status: 'unchanged' });
        expect(await stats()).toMatchObject({ pending: 0 });
        const book = await library.find('a book');
        await library.app.module.get(PendingSyncManager).capture(book);
        await expect(library.app.parity.unpublish(book)).rejects.toBeInstanceOf(AuthenticationError);
        expect(await stats()).toMatchObject({ pending: 1 });
      });

      it('retrying after an outage, failed for a record that is invalid', async () => {
        await using proxy = await FaultProxy.start();
        proxy.target = network.pdsUrl;
        library = await Library.open(network, kind, { pendingSyncs, service: proxy.url });
        const invalid = await library.save('unmappable');
        expect(await statusOf(invalid)).toMatchObject({
          status: 'failed',
          attempts: 1,
          error: expect.stringContaining('no words for it'),
          deadLetter: null,
        });
        const unavailable = { status: 503, headers: {}, body: '' };
        proxy.fault('com.atproto.repo.applyWrites', (exchange) => exchange.respond(unavailable), 99);
        const book = await library.save('a book');
        expect(await statusOf(book)).toMatchObject({ status: 'retrying', at: expect.any(Date) });
      });
    });
  }
}

for (const kind of databaseKinds) {
  describeDatabase(kind)(`dead letters (${kind})`, () => {
    it('are listed, requeued, published, and purged', async () => {
      library = await Library.open(network, kind, { pendingSyncs: { maxAttempts: 1 } });
      const { parity } = library.app;
      const book = await library.save('unmappable');
      expect(await parity.retryPendingSyncs(library.did)).toMatchObject({ skipped: 1 });
      const { letters, next } = await parity.deadLetters.list({ did: library.did });
      expect(next).toBeNull();
      expect(letters).toEqual([
        {
          sync: expect.objectContaining({ entityName: 'Book', entityId: String(book.id), attempts: 1 }),
          reason: expect.stringContaining('no words for it'),
          diedAt: expect.any(String),
        },
      ]);
      expect(await parity.deadLetters.list({ did: 'did:plc:other' })).toEqual({ letters: [], next: null });
      expect(await stats()).toMatchObject({ pending: 0, dead: 1 });
      const id = letters[0]!.sync.id;
      expect(await statusOf(book)).toMatchObject({ status: 'failed', deadLetter: id, attempts: 1 });

      await library.sql("UPDATE book SET title = 'mended'");
      expect(await parity.deadLetters.requeue(id)).toBe(true);
      expect(await parity.deadLetters.requeue(id)).toBe(false);
      await library.idle();
      expect(await library.titles()).toEqual(['mended']);
      expect(await statusOf(book)).toMatchObject({ status: 'synced' });

      await library.save('unmappable');
      await parity.retryPendingSyncs(library.did);
      expect(await parity.deadLetters.purge(new Date(Date.now() - 60_000))).toBe(0);
      expect(await parity.deadLetters.purge(new Date(Date.now() + 60_000))).toBe(1);
      expect(await stats()).toMatchObject({ dead: 0 });
    });
  });
}

describe('without pending syncs', () => {
  it('what is out of step is failed until it is touched, and there are no dead letters', async () => {
    library = await Library.open(network, 'sqlite', { pendingSyncs: { enabled: false } });
    const { parity } = library.app;
    const book = await library.save('a book');
    library.shelf.label = 'moved';
    await library.sql("UPDATE shelf SET label = 'moved'");
    expect(await statusOf(book)).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('touch()'),
      deadLetter: null,
    });
    expect(await parity.touch(book)).toMatchObject({ status: 'published', uri: book.getAtpUri() });
    expect(await statusOf(book)).toMatchObject({ status: 'synced', cid: book.getAtpCid() });
    expect((await network.getRecord(book.getAtpUri()!))?.value).toMatchObject({ shelf: 'moved' });
    expect(await parity.touch(book)).toMatchObject({ status: 'unchanged' });

    expect(await parity.deadLetters.list()).toEqual({ letters: [], next: null });
    expect(await parity.deadLetters.requeue('at://did:plc:a/b.c.d/e')).toBe(false);
    expect(await parity.deadLetters.purge(new Date())).toBe(0);
    expect(await stats()).toEqual({ pending: 0, parked: 0, leased: 0, dead: 0, oldestWaiting: null });
  });
});

describe('touch', () => {
  it('joins a unit of work and a transaction, throws an auth failure, and is kept like any change', async () => {
    library = await Library.open(network, 'sqlite');
    const { parity, dataSource } = library.app;
    const book = await library.save('a book');
    await parity.unitOfWork(async () => {
      await library.sql("UPDATE shelf SET label = 'in a unit'");
      expect(await parity.touch(book)).toMatchObject({ status: 'pending' });
    });
    expect(await statusOf(book)).toMatchObject({ status: 'synced' });
    await dataSource.transaction(async (manager) => {
      await manager.query("UPDATE shelf SET label = 'in a transaction'");
      expect(await parity.touch(book)).toMatchObject({ status: 'pending' });
    });
    expect((await network.getRecord(book.getAtpUri()!))?.value).toMatchObject({ shelf: 'in a transaction' });
    await expect(parity.touch(library.shelf)).rejects.toThrow('no marked entity');
    expect(await parity.touch(new Book())).toMatchObject({ status: 'failed' });
  });

  it('throws an auth failure, and keeps the change', async () => {
    library = await Library.open(network, 'sqlite', { password: 'wrong' });
    const book = await library.save('a book', { visible: false });
    await library.sql('UPDATE book SET visible = TRUE');
    await expect(library.app.parity.touch(book)).rejects.toBeInstanceOf(AuthenticationError);
    expect(await library.app.parity.countPendingSyncs(library.did)).toBe(1);
  });
});
