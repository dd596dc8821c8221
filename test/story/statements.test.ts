import type { Account, LocalNetwork } from 'nestjs-parity/testing';
import { Column, Entity, PrimaryGeneratedColumn, type Logger } from 'typeorm';
import { AtpRecordEntity, AutoSyncsWithAtp } from 'nestjs-parity';
import { databaseKinds, describeDatabase, type DatabaseKind } from '../support/databases.js';
import { textMapper } from '../support/entities/text-mapper.js';
import { aParityApp } from '../support/parity-app.js';
import { partsOf } from '../support/pending-parts.js';
import { passwordsOf } from '../support/sessions.js';
import { sharedNetwork } from '../support/shared-network.js';

/** Without a column default: TypeORM would read it back with a statement of its own. */
@Entity()
@AutoSyncsWithAtp()
class Note extends AtpRecordEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column() did!: string;
  @Column() text!: string;
}

/**
 * BEGIN, INSERT, capture and COMMIT are four of them. PostgreSQL settles in one statement. MariaDB takes the
 * lane and reads it in two, and settles in seven. SQLite logs no BEGIN and COMMIT of the module's own.
 */
const STATEMENTS: Record<DatabaseKind, number> = { postgres: 8, mariadb: 15, sqlite: 11 };
/** The first save of an account makes its lane. */
const FIRST: Record<DatabaseKind, number> = { ...STATEMENTS, mariadb: 16 };

let network: LocalNetwork;
let account: Account;
beforeAll(async () => {
  network = await sharedNetwork();
  account = await network.createAccount({ handle: 'counted.test' });
});

for (const kind of databaseKinds) {
  describeDatabase(kind)(`an inline save of a new entity with database storage (${kind})`, () => {
    it(`takes ${STATEMENTS[kind]} statements, the first one of an account ${FIRST[kind]}`, async () => {
      const statements: string[] = [];
      const silent = () => undefined;
      const logger: Logger = {
        logQuery: (sql) => void statements.push(sql.slice(0, 100)),
        logQueryError: (error) => void statements.push(`-- ${String(error)}`),
        logQuerySlow: silent,
        logSchemaBuild: silent,
        logMigration: silent,
        log: silent,
      };
      const app = await aParityApp({
        model: { entities: [Note], mappers: [textMapper(Note, 'com.example.note')] },
        sessions: passwordsOf(network.pdsUrl, account),
        database: kind,
        storage: 'database',
        dataSource: { logger },
        // A busy machine must not end the wait before all is done.
        parity: { sync: { deadlineMs: 50_000 } },
      });
      try {
        // Its looks for lanes that are ready have statements of their own.
        await partsOf(app.module).loop.stop();
        const notes = app.repository(Note);
        for (const count of [FIRST[kind], STATEMENTS[kind]]) {
          statements.length = 0;
          const note = await notes.save(notes.create({ did: account.did, text: 'counted' }));
          const seen = statements.splice(0);
          expect({ seen, count: seen.length }).toEqual({ seen, count });
          expect(await network.getRecord(note.atpUri!)).toMatchObject({ cid: note.atpCid });
        }
        expect(await app.parity.countPendingSyncs(account.did)).toBe(0);
        expect(await app.parity.stats()).toMatchObject({ leased: 0, pending: 0 });
      } finally {
        await app.stop();
      }
    });
  });
}
