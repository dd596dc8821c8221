import { Column, DataSource, Entity, ManyToOne, PrimaryGeneratedColumn } from 'typeorm';
import { AtpRecordEntity, AutoSyncsWithAtp, ParityModule } from 'nestjs-parity';
import { Applications, NoSessions } from '../support/applications.js';
import { textMapper } from '../support/entities/text-mapper.js';

@Entity()
class Person {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: String, nullable: true }) did!: string | null;
}

abstract class Text extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ default: 'hello' }) text!: string;
}
@Entity()
@AutoSyncsWithAtp()
class WithDid extends Text {
  @Column({ type: String, nullable: true }) did!: string | null;
  @ManyToOne(() => Person) user!: Person;
}
@Entity()
@AutoSyncsWithAtp()
class WithBoth extends Text {
  @ManyToOne(() => Person) user!: Person | null;
  @ManyToOne(() => Person) author!: Person;
}
@Entity()
@AutoSyncsWithAtp()
class WithAuthor extends Text {
  @ManyToOne(() => Person) author!: Person | null;
}
@Entity()
@AutoSyncsWithAtp()
class Alone extends Text {}

const owned = [WithDid, WithBoth, WithAuthor, Alone];

const apps = new Applications();
async function start() {
  const sessions = new NoSessions();
  const app = await apps.start({
    parity: [
      ParityModule.forRoot({
        sessions,
        mappers: owned.map((entity) => textMapper(entity, 'com.example.text')),
      }),
    ],
    entities: [Person, ...owned],
  });
  const { manager } = app.get(DataSource);
  return {
    manager,
    asked: sessions.asked,
    user: await manager.save(Object.assign(new Person(), { did: 'did:web:user.test' })),
    author: await manager.save(Object.assign(new Person(), { did: 'did:web:author.test' })),
    nobody: await manager.save(Object.assign(new Person(), { did: null })),
  };
}

describe('without syncAsDid() the owner is', () => {
  it('the did of the entity, before that of any relation', async () => {
    const { manager, asked, user } = await start();
    await manager.save(Object.assign(new WithDid(), { did: 'did:web:own.test', user }));
    expect(asked).toEqual(['did:web:own.test']);
  });

  it('the did of its user where it has none itself', async () => {
    const { manager, asked, user, author } = await start();
    await manager.save(Object.assign(new WithBoth(), { user, author }));
    expect(asked).toEqual(['did:web:user.test']);
  });

  it('the did of its author where it has neither a did nor a user', async () => {
    const { manager, asked, author, nobody } = await start();
    await manager.save(Object.assign(new WithAuthor(), { author }));
    await manager.save(Object.assign(new WithBoth(), { user: null, author }));
    await manager.save(Object.assign(new WithBoth(), { user: nobody, author }));
    expect(asked).toEqual(Array(3).fill('did:web:author.test'));
  });

  it('read from relations that were not loaded, too', async () => {
    const { manager, asked, user, author } = await start();
    const { id } = await manager.save(Object.assign(new WithBoth(), { user, author }));
    const bare = await manager.findOneByOrFail(WithBoth, { id });
    bare.text = 'again';
    await manager.save(bare);
    await manager.save(WithBoth, { id, text: 'and again' });
    expect(asked).toEqual(Array(3).fill('did:web:user.test'));
  });

  it('the DID of its uri where nothing else names one', async () => {
    const { manager, asked } = await start();
    const alone = await manager.save(new Alone());
    const uri = `at://did:web:past.test/com.example.text/${alone.atpRkey}`;
    await manager.query('UPDATE alone SET atpUri = ? WHERE id = ?', [uri, alone.id]);
    await manager.save(Alone, { id: alone.id, text: 'again' });
    expect(asked).toEqual(['did:web:past.test']);
  });
});

describe('without a DID', () => {
  it('nothing is synced, and that is no error', async () => {
    const { manager, asked, nobody } = await start();
    const entity = await manager.save(Object.assign(new WithAuthor(), { author: nobody }));
    expect(entity.hasAtpRecord()).toBe(false);
    await manager.save(new Alone());
    expect([asked, apps.log.lines]).toEqual([[], []]);
  });

  it('publishing by hand fails and says why', async () => {
    const { manager, asked } = await start();
    const alone = await manager.save(new Alone());
    expect(await alone.publish()).toMatchObject({
      status: 'failed',
      reason: `Alone ${alone.id} has no DID: syncAsDid() gave none, so there is no account to publish in.`,
    });
    expect(asked).toEqual([]);
  });
});
