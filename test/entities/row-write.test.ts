import { setTimeout as wait } from 'node:timers/promises';
import { Column, Entity, PrimaryColumn, UpdateDateColumn, type DataSource } from 'typeorm';
import { AtpCid, AtpRkey, AtpSyncedAt, AtpUri, HasAtpRecord } from 'nestjs-parity';
import { MapperRegistry } from '../../lib/records/mapper.registry.js';
import { published, unpublished, writeRow, writeRows, type RowWrite } from '../../lib/entities/row-write.js';
import { runTogether } from '../../lib/database/sql-script.js';
import { SyncedEntities } from '../../lib/entities/synced-entities.js';
import type { SyncedEntity } from '../../lib/entities/synced-entity.js';
import {
  databaseKinds,
  describeDatabase,
  freshDataSource,
  type FreshDatabase,
} from '../support/databases.js';

const backwards = {
  to: (value: string | null) => value && [...value].toReversed().join(''),
  from: (value: string | null) => value && [...value].toReversed().join(''),
};

/** Nothing about it is as the module would have it. */
@Entity('odd leaf')
@HasAtpRecord()
class Leaf {
  @PrimaryColumn() shelf!: string;
  @PrimaryColumn({ name: 'the number' }) number!: number;
  @AtpUri({ name: 'the uri', transformer: backwards }) uri!: string | null;
  @AtpCid() cid!: string | null;
  @AtpRkey({ transformer: backwards }) rkey!: string | null;
  @AtpSyncedAt() at!: Date | null;
  @Column({ default: '' }) note!: string;
  @UpdateDateColumn() changed!: Date;
}

const uriOf = (rkey: string): string => `at://did:plc:alice/com.example.leaf/${rkey}`;
const NOW = new Date('2026-01-02T03:04:05Z');

for (const kind of databaseKinds) {
  describeDatabase(kind)(`record columns of several rows (${kind})`, () => {
    let database: FreshDatabase;
    let dataSource: DataSource;
    let entity: SyncedEntity;

    beforeAll(async () => {
      database = await freshDataSource(kind, [Leaf]);
      dataSource = await database.open();
      [entity] = new SyncedEntities().addAll(dataSource, new MapperRegistry()) as [SyncedEntity];
    });
    afterAll(() => database?.cleanup());

    const leaves = () => dataSource.getRepository(Leaf).find({ order: { number: 'ASC' } });
    const idOf = (number: number): string => JSON.stringify(['a "shelf"', number]);
    const write = (number: number, rkey = `key-${number}`): RowWrite =>
      published(idOf(number), { uri: uriOf(rkey), cid: `cid-${number}`, rkey }, NOW, { uri: null });
    const together = async (writes: readonly RowWrite[]): Promise<string[]> => {
      const runner = dataSource.createQueryRunner();
      try {
        return [...(await runTogether(writeRows(entity, writes), runner))];
      } finally {
        await runner.release();
      }
    };

    beforeEach(async () => {
      await dataSource.getRepository(Leaf).clear();
      await dataSource
        .getRepository(Leaf)
        .insert(
          [1, 2, 3].map((number) => ({ shelf: 'a "shelf"', number, rkey: `key-${number}`, uri: null })),
        );
    });

    it('gives each its own values, and leaves update dates alone', async () => {
      const before = await leaves();
      await wait(kind === 'mariadb' ? 1_100 : 20);
      expect((await together([write(1), write(2), write(3)])).toSorted()).toEqual([1, 2, 3].map(idOf));
      expect(await leaves()).toEqual(
        before.map((leaf) => {
          const { number } = leaf;
          return Object.assign(leaf, { uri: uriOf(`key-${number}`), cid: `cid-${number}`, at: NOW });
        }),
      );
    });

    it('leaves those that are gone, or have another key by now, and tells so', async () => {
      await dataSource.getRepository(Leaf).delete({ number: 1 });
      expect(await together([write(1), write(2, 'another'), write(3)])).toEqual([idOf(3)]);
      expect((await leaves()).map(({ uri }) => uri)).toEqual([null, uriOf('key-3')]);
    });

    it('publishes some and unpublishes others', async () => {
      await together([write(1), write(2)]);
      const kept = unpublished(idOf(1), { uri: uriOf('key-1'), rkey: 'key-1' }, null);
      const renewed = unpublished(idOf(2), { uri: uriOf('key-2'), rkey: 'key-2' }, 'next');
      expect(await together([kept, renewed, write(3)])).toHaveLength(3);
      expect((await leaves()).map(({ uri, cid, rkey, at }) => ({ uri, cid, rkey, at }))).toEqual([
        { uri: null, cid: null, rkey: 'key-1', at: null },
        { uri: null, cid: null, rkey: 'next', at: null },
        { uri: uriOf('key-3'), cid: 'cid-3', rkey: 'key-3', at: NOW },
      ]);
    });

    // It has one connection for everybody.
    if (kind === 'sqlite') return;

    it('waits for no transaction that holds a row, be it one of several or alone', async () => {
      const runner = dataSource.createQueryRunner();
      const holder = dataSource.createQueryRunner();
      try {
        await holder.startTransaction();
        await holder.manager.update(Leaf, { shelf: 'a "shelf"', number: 2 }, { note: 'mine' });
        expect(await together([write(1), write(2), write(3)])).toEqual([idOf(1), idOf(3)]);
        expect(await runTogether(writeRow(entity, write(2)), runner)).toBe(false);
        await holder.commitTransaction();
        expect(await runTogether(writeRow(entity, write(2)), runner)).toBe(true);
        expect((await leaves()).map(({ cid }) => cid)).toEqual(['cid-1', 'cid-2', 'cid-3']);
      } finally {
        await holder.release();
        await runner.release();
      }
    });
  });
}
