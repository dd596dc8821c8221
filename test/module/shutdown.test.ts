import { setTimeout as sleep } from 'node:timers/promises';
import {
  Body,
  Controller,
  Global,
  Injectable,
  Module,
  Post,
  type BeforeApplicationShutdown,
  type INestApplication,
  type ModuleMetadata,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { parityEntities, ParityModule, ParityService, type ParityOptions } from 'nestjs-parity';
import { describeDatabase, freshDataSource, type FreshDatabase } from '../support/databases.js';
import { RecordingLogger } from '../support/parity-app.js';
import { until } from '../support/until.js';
import { Bold } from '../support/entities/bold-and-careful.js';
import { NoteNetwork } from '../support/note-network.js';

const entities = [Bold, ...parityEntities] as Function[];
const storages: Record<string, NonNullable<ParityOptions['pendingSyncs']>> = {
  database: { enabled: true, storage: 'database' },
  cache: { enabled: true, storage: 'cache' },
  none: { enabled: false },
};

class Gate {
  readonly arrived = Promise.withResolvers<void>();
  readonly opened = Promise.withResolvers<void>();
}

@Injectable()
class Notes {
  gate: Gate | undefined;

  constructor(private readonly dataSource: DataSource) {}

  async save(did: string, text: string): Promise<Bold> {
    this.gate?.arrived.resolve();
    await this.gate?.opened.promise;
    return this.dataSource.getRepository(Bold).save(Object.assign(new Bold(), { did, text }));
  }
}

@Controller()
class NotesController {
  constructor(private readonly notes: Notes) {}

  @Post('notes')
  create(@Body() { did, text }: { did: string; text: string }): Promise<Bold> {
    return this.notes.save(did, text);
  }
}

/** Saves a note in each hook of the shutdown. */
class SavesInHooks implements OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(private readonly save: (text: string) => Promise<unknown>) {}
  async onModuleDestroy(): Promise<void> {
    await this.save('onModuleDestroy');
  }
  async beforeApplicationShutdown(): Promise<void> {
    await this.save('beforeApplicationShutdown');
  }
  async onApplicationShutdown(): Promise<void> {
    await this.save('onApplicationShutdown');
  }
}

for (const kind of ['sqlite', 'postgres'] as const) {
  describeDatabase(kind)(`shutdown (${kind})`, () => {
    let network: NoteNetwork;
    let database: FreshDatabase;
    const log = new RecordingLogger();
    const unhandled: unknown[] = [];
    const noteUnhandled = (reason: unknown): void => void unhandled.push(reason);

    beforeAll(async () => {
      network = await NoteNetwork.start();
      process.on('unhandledRejection', noteUnhandled);
    });
    afterAll(async () => {
      process.off('unhandledRejection', noteUnhandled);
      await network?.stop();
    });
    beforeEach(async () => {
      log.lines.length = 0;
      database = await freshDataSource(kind, entities);
    });
    afterEach(async () => {
      network.proxy.reset();
      await database.cleanup();
    });

    const start = async (
      options: ParityOptions,
      imports: NonNullable<ModuleMetadata['imports']> = [],
    ): Promise<INestApplication> => {
      const module = await Test.createTestingModule({
        imports: [
          TypeOrmModule.forRoot({ ...database.options, retryAttempts: 0 }),
          ...imports,
          EventEmitterModule.forRoot({ wildcard: true }),
          ParityModule.forRoot(network.parity(options)),
        ],
        controllers: [NotesController],
        providers: [Notes],
      })
        .setLogger(log)
        .compile();
      const app = module.createNestApplication();
      await app.listen(0, '127.0.0.1');
      return app;
    };

    const post = async (app: INestApplication, text: string): Promise<boolean> => {
      const { did } = network.account;
      const body = JSON.stringify({ did, text });
      const headers = { 'content-type': 'application/json' };
      return (await fetch(`${await app.getUrl()}/notes`, { method: 'POST', headers, body })).ok;
    };

    /** What the records of all rows say; with database storage once the application has started again. */
    const published = async (options: ParityOptions): Promise<unknown[]> => {
      const next = await start(options);
      await until(async () => !(await next.get(ParityService).hasPendingSyncs(network.account.did)), 30_000);
      const rows = await next.get(DataSource).getRepository(Bold).find();
      await next.close();
      return (await Promise.all(rows.map(({ atpUri }) => network.text(atpUri)))).toSorted();
    };

    for (const [storage, pendingSyncs] of Object.entries(storages)) {
      it(`captures what a handler saves while the application closes (storage ${storage})`, async () => {
        const app = await start({ pendingSyncs });
        const gate = (app.get(Notes).gate = new Gate());
        const answered = post(app, 'late');
        await gate.arrived.promise;
        const closing = app.close();
        await sleep(600);
        gate.opened.resolve();
        expect(await answered).toBe(true);
        await closing;
        expect(await published({ pendingSyncs })).toEqual(['late']);
      });

      it(`captures what other modules save in their shutdown hooks (storage ${storage})`, async () => {
        let source: DataSource | undefined;
        const save = (name: string) => (text: string) =>
          source!.getRepository(Bold).save(network.note(Bold, `${name} ${text}`));
        @Module({
          providers: [{ provide: SavesInHooks, useFactory: () => new SavesInHooks(save('feature')) }],
        })
        class FeatureModule {}
        @Global()
        @Module({
          providers: [{ provide: SavesInHooks, useFactory: () => new SavesInHooks(save('global')) }],
        })
        class GlobalModule {}
        const app = await start({ pendingSyncs }, [FeatureModule, GlobalModule]);
        source = app.get(DataSource);
        await app.close();
        const hooks = ['onModuleDestroy', 'beforeApplicationShutdown', 'onApplicationShutdown'];
        const texts = ['feature', 'global'].flatMap((name) => hooks.map((hook) => `${name} ${hook}`));
        expect(await published({ pendingSyncs })).toEqual(texts.toSorted());
      });
    }

    it.each(['inline', 'background', 'request'] as const)(
      'ends while clients go on saving, and what they saved is published by the next start (%s)',
      async (mode) => {
        const options = { pendingSyncs: storages['database']!, sync: { mode } };
        const app = await start(options);
        const saved: string[] = [];
        const end = new AbortController();
        const clients = Array.from({ length: 4 }, async (_, client) => {
          for (let count = 0; !end.signal.aborted; count++) {
            const text = `${client} ${count}`;
            // What is cut off may have been saved or not, so it is no note of these.
            if (await post(app, text).catch(() => false)) saved.push(text);
            else await sleep(5);
          }
        });
        await until(() => saved.length > 8);
        await app.close();
        end.abort();
        expect(unhandled).toEqual([]);
        await Promise.all(clients);
        expect(await published(options)).toEqual(saved.toSorted());
      },
    );

    it('ends although the PDS is silent, and leaves what is under way to the next start', async () => {
      const options = { pendingSyncs: storages['database']!, sync: { mode: 'background' } } as const;
      const app = await start(options);
      const asked = Promise.withResolvers<void>();
      const silence = Promise.withResolvers<void>();
      network.proxy.fault(
        'com.atproto.repo.applyWrites',
        async (exchange) => {
          asked.resolve();
          await silence.promise;
          exchange.cut();
        },
        Infinity,
      );
      await post(app, 'stuck');
      await asked.promise;
      const dataSource = app.get(DataSource);
      await app.close();
      expect(dataSource.isInitialized).toBe(false);
      network.proxy.reset();
      silence.resolve();
      // The write that was under way meets a DataSource that is closed.
      await sleep(500);
      const next = await start(options);
      expect(await next.get(ParityService).hasPendingSyncs(network.account.did)).toBe(true);
      await next.close();
      expect(unhandled).toEqual([]);
    });
  });
}
