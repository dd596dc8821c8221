import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import {
  AtpRecordEntity,
  AutoSyncsWithAtp,
  HasAtpRecord,
  ParityModule,
  ParityOptionsError,
  ParityService,
  PublishesRecords,
} from 'nestjs-parity';
import { Applications, NoSessions } from '../support/applications.js';
import { DID } from '../support/entities/note.js';
import { textMapper } from '../support/entities/text-mapper.js';

abstract class Text extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() text!: string;
}

@Entity()
@HasAtpRecord()
class Known extends Text {}

@Entity()
@PublishesRecords<Published>({ syncAsDid: () => DID })
class Published extends Text {}

@Entity()
@AutoSyncsWithAtp<Synced>({
  syncAsDid: ({ text }) => (text === 'homeless' ? null : DID),
  shouldAutoSync: async ({ text }) => text !== 'draft',
  shouldAutoUnsync: () => false,
})
class Synced extends Text {}

@Entity()
@AutoSyncsWithAtp<Own>({ syncAsDid: () => 'did:web:option.test', shouldAutoSync: () => false })
class Own extends Text {
  override syncAsDid(): Promise<string> {
    return Promise.resolve(`did:web:${this.text}.test`);
  }
  override shouldAutoSync(): boolean {
    return this.text !== 'draft';
  }
}

const apps = new Applications();
const entities = [Known, Published, Synced, Own];

async function start() {
  const sessions = new NoSessions();
  const parity = ParityModule.forRoot({
    sessions,
    mappers: entities.map((entity) => textMapper(entity, 'com.example.text')),
  });
  const app = await apps.start({ parity: [parity], entities });
  const save = <E extends Text>(type: new () => E, text: string): Promise<E> =>
    app.get(DataSource).getRepository(type).save(Object.assign(new type(), { text }));
  return { app, asked: sessions.asked, save };
}

describe('an entity that has a record', () => {
  it.each(['publish', 'republish', 'unpublish'] as const)('cannot %s, and is told why', async (method) => {
    const { app, asked, save } = await start();
    const known = await save(Known, 'hello');
    for (const attempt of [() => known[method](), () => app.get(ParityService)[method](known)]) {
      await expect(attempt()).rejects.toThrow(ParityOptionsError);
      await expect(attempt()).rejects.toThrow(
        `Known is marked with @HasAtpRecord(), which only knows its record; mark it with @PublishesRecords() to ${method} it by hand`,
      );
    }
    await expect(known.publishAs(DID)).rejects.toThrow(/marked with @HasAtpRecord/);
    expect(asked).toEqual([]);
  });

  it('knows it', async () => {
    const { save } = await start();
    const known = await save(Known, 'hello');
    expect([known.hasAtpRecord(), known.getAtpUri()]).toEqual([false, null]);
    expect(await known.toAtpRecord()).toEqual({ $type: 'com.example.text', text: 'hello' });
  });
});

describe('an entity that publishes records', () => {
  it('does so by hand, and never by itself', async () => {
    const { asked, save } = await start();
    const published = await save(Published, 'hello');
    expect(asked).toEqual([]);
    expect((await published.publish()).status).toBe('failed');
    expect(asked).toEqual([DID]);
  });
});

describe('an entity that syncs', () => {
  it('does so by itself, and by hand', async () => {
    const { asked, save } = await start();
    const synced = await save(Synced, 'hello');
    expect(asked).toEqual([DID]);
    await synced.publish();
    expect(asked).toEqual([DID, DID]);
  });

  it('asks the functions that its decorator was given', async () => {
    const { asked, save } = await start();
    const draft = await save(Synced, 'draft');
    await save(Synced, 'homeless');
    expect(asked).toEqual([]);
    await draft.publish();
    expect(asked).toEqual([DID]);
  });

  it('asks the methods of its class rather than those', async () => {
    const { asked, save } = await start();
    await save(Own, 'method');
    await save(Own, 'draft');
    expect(asked).toEqual(['did:web:method.test']);
  });
});

describe('an entity that is not marked', () => {
  class Stranger extends AtpRecordEntity {}

  it.each(['publish', 'republish', 'unpublish', 'publishAs', 'toAtpRecord'] as const)(
    'is told so by the promise that %s() gives',
    async (method) => {
      const told: unknown = new Stranger()[method](DID).catch((error: unknown) => error);
      expect(await told).toBeInstanceOf(ParityOptionsError);
      expect(await told).toMatchObject({
        message: expect.stringMatching(/^Stranger is not known to a running ParityModule\. Mark it with/),
      });
    },
  );

  it('is told so by ParityService, as what is no entity is', async () => {
    const { app } = await start();
    const parity = app.get(ParityService);
    await expect(parity.publish(new Stranger())).rejects.toThrow(/Stranger is no marked entity/);
    for (const method of ['publish', 'unpublish', 'touch', 'toRecord', 'statusOf'] as const) {
      for (const value of [undefined, null, 'post'])
        await expect(parity[method](value as never)).rejects.toThrow(
          `${value} is no entity; give an instance`,
        );
    }
  });
});
