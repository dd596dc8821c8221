import { jest } from '@jest/globals';
import { isDeepStrictEqual } from 'node:util';
import { AtpRecordEntity, AutoSyncsWithAtp, RecordMapper, RecordPublished, SyncFailed } from 'nestjs-parity';
import type { Account, LocalNetwork } from 'nestjs-parity/testing';
import { Column, Entity, PrimaryGeneratedColumn, type Logger, type Repository } from 'typeorm';
import { DatabasePendingSyncStore } from '../../lib/pending/database/database-pending-sync.store.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { sharedNetwork } from '../support/shared-network.js';
import { until } from '../support/until.js';
import { passwordsOf } from '../support/sessions.js';

@Entity()
@AutoSyncsWithAtp()
class Note extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() text!: string;
  @Column({ default: 0 }) views!: number;
}

/** What the mapper does before it answers. */
let mapping: () => void | Promise<unknown> = () => undefined;
let mapped = 0;

class NoteMapper extends RecordMapper<Note> {
  readonly entity = Note;
  readonly collection = 'com.example.note';

  toRecord({ text }: Note): Record<string, unknown> | Promise<Record<string, unknown>> {
    mapped += 1;
    const waiting = mapping();
    return waiting ? waiting.then(() => ({ text })) : { text };
  }
}

let network: LocalNetwork;
let account: Account;

beforeAll(async () => {
  network = await sharedNetwork();
  account = await network.createAccount({ handle: 'unchanged.test' });
});

for (const kind of databaseKinds) {
  describeDatabase(kind)(`an edit that leaves its record as it is (${kind})`, () => {
    /** MySQL and MariaDB capture it, and the lane finds that nothing has to be done. */
    const leaves = kind !== 'mariadb';
    let app: ParityApp;
    let notes: Repository<Note>;
    const statements: string[] = [];

    const start = async (mode: 'inline' | 'background') => {
      const logger = { logQuery: (sql: string) => void statements.push(sql) } as unknown as Logger;
      for (const name of ['logQueryError', 'logQuerySlow', 'logSchemaBuild', 'logMigration', 'log'] as const)
        logger[name] = () => undefined;
      app = await aParityApp({
        model: { entities: [Note], mappers: [NoteMapper] },
        sessions: passwordsOf(network.pdsUrl, account),
        database: kind,
        mode,
        storage: 'database',
        // A mapper that asks the database must not wait for the connection of its own transaction.
        dataSource: { logger, poolSize: 1 } as object,
      });
      notes = app.repository(Note);
    };
    const idle = () => until(async () => !(await app.parity.hasPendingSyncs(account.did)));
    const published = async (text = 'the same'): Promise<Note> => {
      const note = await notes.save(notes.create({ did: account.did, text }));
      await idle();
      app.events.length = 0;
      return notes.findOneByOrFail({ id: note.id });
    };
    const row = async (): Promise<Record<string, unknown>> => {
      const rows: Record<string, unknown>[] = await app.dataSource.query('SELECT * FROM parity_ledger');
      return rows[0]!;
    };
    const version = async (): Promise<number> => Number((await row())['version']);
    const touching = async (work: () => Promise<unknown>): Promise<string[]> => {
      statements.length = 0;
      await work();
      return statements.filter((sql) => /parity_/.test(sql)).map((sql) => /parity_\w+/.exec(sql)![0]);
    };

    afterEach(async () => {
      mapping = () => undefined;
      await app?.stop();
    });

    it.each(['inline', 'background'] as const)(
      'neither touches the lane nor makes a request (%s)',
      async (mode) => {
        await start(mode);
        const note = await published();
        const before = await row();
        const commits = (await network.commits(account.did)).length;
        const wake = jest.spyOn(DatabasePendingSyncStore.prototype, 'wake');
        const tables = await touching(() => notes.save(Object.assign(note, { views: 1 })));
        // The lane loop has statements of its own.
        const seen = { row: await row(), wakes: wake.mock.calls.length, tables: mode === 'inline' && tables };
        const left = { row: before, wakes: 0, tables: mode === 'inline' && ['parity_ledger'] };
        expect(isDeepStrictEqual(seen, left)).toBe(leaves);
        wake.mockRestore();
        await idle();
        expect(app.taken(RecordPublished)).toEqual([]);
        expect((await network.commits(account.did)).length).toBe(commits);
        expect((await notes.findOneByOrFail({ id: note.id })).views).toBe(1);
      },
    );

    it('has the result unchanged, whichever worker has the lane', async () => {
      await start('inline');
      const note = await published();
      await app.dataSource.query('UPDATE parity_lane SET leased = TRUE, ready_at = 9000000000000000');
      const result = await app.parity.touch(note);
      const { atpUri: uri, atpCid: cid } = note;
      expect(result).toMatchObject(leaves ? { status: 'unchanged', uri, cid } : { status: 'pending', uri });
    });

    it('is captured while something is pending at its address', async () => {
      await start('inline');
      const note = await published();
      const before = await version();
      await app.dataSource.query('UPDATE parity_ledger SET pending_since = 1');
      await notes.save(Object.assign(note, { views: 1 }));
      expect(await version()).toBe(before + 1);
      expect((await row())['pending_since']).toBeNull();
    });

    it('is captured if another content was settled meanwhile', async () => {
      await start('inline');
      const note = await published();
      const before = await version();
      await app.dataSource.query("UPDATE parity_ledger SET cid = 'bafyother'");
      await notes.save(Object.assign(note, { views: 1 }));
      expect(await version()).toBe(before + 1);
      expect((await row())['cid']).toBe(note.atpCid);
    });

    it('is captured in one statement together with an edit that changes its record', async () => {
      await start('inline');
      const [first, second] = [await published(), await published()];
      const tables = await touching(() =>
        app.dataSource.transaction(async (manager) => {
          await manager.save([
            Object.assign(first, { views: 1 }),
            Object.assign(second, { text: 'another' }),
          ]);
          statements.push('-- at the commit: parity_commit');
        }),
      );
      expect(tables.slice(0, 2)).toEqual(['parity_commit', 'parity_ledger']);
      expect(tables.slice(2)).toContain('parity_lane');
      expect((await network.getRecord(second.atpUri!))?.value).toMatchObject({ text: 'another' });
    });

    it('leaves nothing behind when it is rolled back', async () => {
      await start('inline');
      const note = await published();
      const before = await row();
      const failing = app.dataSource.transaction(async (manager) => {
        await manager.save(Object.assign(note, { views: 1 }));
        await manager.transaction((nested) => nested.save(Object.assign(note, { text: 'in a savepoint' })));
        throw new Error('no');
      });
      await expect(failing).rejects.toThrow('no');
      expect(await row()).toEqual(before);
      await notes.save(Object.assign(note, { text: 'changed' }));
      expect((await network.getRecord(note.atpUri!))?.value).toMatchObject({ text: 'changed' });
    });

    it('is captured if its mapper throws, and its attempt fails with that error', async () => {
      await start('inline');
      const note = await published();
      const before = await version();
      mapping = () => {
        throw new Error('no record today');
      };
      await notes.save(Object.assign(note, { views: 1 }));
      expect(await version()).toBe(before + 1);
      expect((await row())['pending_since']).not.toBeNull();
      expect(app.taken(SyncFailed)).toHaveLength(1);
      expect((await notes.findOneByOrFail({ id: note.id })).views).toBe(1);
    });

    it('is captured if its mapper waits for something, and its mapper is not asked in a transaction again', async () => {
      await start('inline');
      const note = await published();
      const before = await version();
      mapping = () => new Promise((resolve) => setImmediate(() => resolve(app.dataSource.query('SELECT 1'))));
      await notes.save(Object.assign(note, { views: 1 }));
      expect(await version()).toBe(before + 1);
      mapped = 0;
      await notes.save(Object.assign(note, { views: 2 }));
      expect([await version(), mapped]).toEqual([before + 2, 1]);
      expect((await row())['pending_since']).toBeNull();
    });

    it('is captured if its mapper returns a promise, because no transaction waits for one', async () => {
      await start('inline');
      const note = await published();
      const before = await version();
      mapping = async () => undefined;
      await notes.save(Object.assign(note, { views: 1 }));
      expect(await version()).toBe(before + 1);
      expect((await row())['pending_since']).toBeNull();
    });
  });
}
