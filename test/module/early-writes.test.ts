import { Global, Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { parityEntities, ParityModule, type ParityOptions } from 'nestjs-parity';
import { describeDatabase, freshDataSource, type FreshDatabase } from '../support/databases.js';
import { RecordingLogger } from '../support/parity-app.js';
import { Bold } from '../support/entities/bold-and-careful.js';
import { NoteNetwork } from '../support/note-network.js';

const storages: Record<string, NonNullable<ParityOptions['pendingSyncs']>> = {
  database: { enabled: true, storage: 'database' },
  none: { enabled: false },
};

for (const kind of ['sqlite', 'postgres'] as const) {
  describeDatabase(kind)(`what is saved before the module follows it (${kind})`, () => {
    let network: NoteNetwork;
    let database: FreshDatabase;
    beforeAll(async () => {
      network = await NoteNetwork.start();
    });
    afterAll(() => network?.stop());
    beforeEach(async () => {
      database = await freshDataSource(kind, [Bold, ...parityEntities] as Function[]);
    });
    afterEach(() => database.cleanup());

    const save = (dataSource: DataSource, text: string): Promise<Bold> =>
      dataSource
        .getRepository(Bold)
        .save(Object.assign(network.note(Bold, text), { atpUri: 'at://forged', atpRkey: 'forged' }));

    @Module({
      providers: [
        {
          provide: 'SEED',
          inject: [DataSource],
          useFactory: (source: DataSource) => save(source, 'factory'),
        },
      ],
    })
    class FactoryModule {}

    @Injectable()
    class Seeds implements OnModuleInit {
      constructor(private readonly dataSource: DataSource) {}
      async onModuleInit(): Promise<void> {
        await save(this.dataSource, 'onModuleInit');
      }
    }
    @Global()
    @Module({ providers: [Seeds] })
    class InitModule {}

    for (const [storage, pendingSyncs] of Object.entries(storages)) {
      for (const way of ['forRoot', 'forRootAsync'] as const) {
        it(`is warned of, and synced at the start (${way}, storage ${storage})`, async () => {
          const options = network.parity({ pendingSyncs });
          const { mappers = [], ...rest } = options;
          const log = new RecordingLogger();
          const module = await Test.createTestingModule({
            imports: [
              FactoryModule,
              InitModule,
              way === 'forRoot'
                ? TypeOrmModule.forRoot({ ...database.options, retryAttempts: 0 })
                : TypeOrmModule.forRootAsync({
                    useFactory: () => ({ ...database.options, retryAttempts: 0 }),
                  }),
              EventEmitterModule.forRoot(),
              way === 'forRoot'
                ? ParityModule.forRoot(options)
                : ParityModule.forRootAsync({ useFactory: async () => rest, mappers }),
            ],
          })
            .setLogger(log)
            .compile();
          await module.init();
          expect(log.lines.filter((line) => line.includes('before ParityModule followed it'))).toEqual([
            expect.stringContaining('warn Bold was written'),
          ]);
          const rows = await module.get(DataSource).getRepository(Bold).find();
          const texts = await Promise.all(rows.map(({ atpUri }) => network.text(atpUri)));
          expect(texts.toSorted()).toEqual(['factory', 'onModuleInit']);
          const later = await save(module.get(DataSource), 'later');
          expect(await network.text(later.atpUri)).toBe('later');
          await module.close();
        });
      }
    }
  });
}
