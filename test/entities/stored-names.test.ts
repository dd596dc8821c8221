import { ChildEntity, Column, Entity, PrimaryGeneratedColumn, TableInheritance } from 'typeorm';
import {
  AtpMapper,
  AtpRecordEntity,
  AutoSyncsWithAtp,
  HasAtpRecord,
  PublishesRecords,
  RecordMapper,
} from 'nestjs-parity';
import { MapperRegistry } from '../../lib/records/mapper.registry.js';
import { SyncedEntities } from '../../lib/entities/synced-entities.js';
import { freshDataSource } from '../support/databases.js';

@Entity('letters')
@AutoSyncsWithAtp()
class Letter extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
}

@Entity()
@AutoSyncsWithAtp({ name: 'thing' })
@TableInheritance({ column: 'kind' })
class Thing extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() kind!: string;
}

@ChildEntity('chair')
class Chair extends Thing {}

@ChildEntity('table')
@AutoSyncsWithAtp({ name: 'desk' })
class Table extends Thing {}

@Entity()
@PublishesRecords({ name: 'memo' })
class Memo extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
}

@Entity()
@HasAtpRecord({ name: 'memo' })
class Notice extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
}

@AtpMapper()
class LetterMapper extends RecordMapper<Letter> {
  readonly entity = Letter;
  readonly collection = 'com.example.letter';
  toRecord = () => ({});
}

@AtpMapper()
class ThingMapper extends RecordMapper<Thing> {
  readonly entity = Thing;
  readonly collection = 'com.example.thing';
  toRecord = () => ({});
}

/** The stored names of classes of one DataSource, by class name. */
async function storedNames(classes: Function[], prefix?: string): Promise<Record<string, string>> {
  const database = await freshDataSource('sqlite', classes);
  try {
    const mappers = new MapperRegistry();
    mappers.register(new LetterMapper());
    for (const child of [Thing, Chair, Table])
      mappers.register(
        Object.assign(new ThingMapper(), { entity: child, collection: `com.example.${child.name}` }),
      );
    const added = new SyncedEntities().addAll(await database.open(), mappers, prefix);
    return Object.fromEntries(added.map(({ name, storedName }) => [name, storedName]));
  } finally {
    await database.cleanup();
  }
}

describe('the name under which the changes of a class are kept', () => {
  it('is that of its table, and of a child of a single table also its discriminator', async () => {
    expect(await storedNames([Letter, Thing, Chair])).toMatchObject({
      Letter: 'letters',
      Chair: 'thing:chair',
    });
  });

  it('is the one that its decorator gives, which is no name of its subclasses', async () => {
    expect(await storedNames([Thing, Chair, Table, Memo])).toEqual({
      Thing: 'thing',
      Chair: 'thing:chair',
      Table: 'desk',
      Memo: 'memo',
    });
  });

  it('begins with the DataSource where that is not the first', async () => {
    expect(await storedNames([Letter, Memo], 'archive.')).toEqual({
      Letter: 'archive.letters',
      Memo: 'memo',
    });
  });

  it('is that of one class: a second one stops the start, with the fix', async () => {
    await expect(storedNames([Memo, Notice])).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringMatching(
        /Memo.*Notice.*'memo'.*@AutoSyncsWithAtp\(\{ name: '...' \}\)/,
      ) as string,
    });
  });
});
