import { Column, Entity, PrimaryColumn } from 'typeorm';
import { AtpRecordEntity, AutoSyncsWithAtp, RecordMapper } from 'nestjs-parity';
import type { LocalNetwork } from 'nestjs-parity/testing';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { sharedNetwork } from '../support/shared-network.js';
import { passwordsOf } from '../support/sessions.js';

@Entity()
@AutoSyncsWithAtp()
class Leaf extends AtpRecordEntity {
  @PrimaryColumn() shelf!: string;
  @PrimaryColumn() number!: number;
  @Column() did!: string;
}

/** What happens after the rows were read, and before their records are written. */
let meanwhile: (() => Promise<unknown>) | undefined;

class LeafMapper extends RecordMapper<Leaf> {
  readonly entity = Leaf;
  readonly collection = 'com.example.leaf';
  async toRecord({ number }: Leaf): Promise<Record<string, unknown>> {
    const once = meanwhile;
    meanwhile = undefined;
    await once?.();
    return { number };
  }
}

let network: LocalNetwork;
let proxy: FaultProxy;
beforeAll(async () => {
  network = await sharedNetwork();
  proxy = await FaultProxy.start();
  proxy.target = network.pdsUrl;
});
afterAll(async () => {
  await proxy.stop();
});

for (const kind of databaseKinds) {
  describeDatabase(kind)(`settling (${kind})`, () => {
    let app: ParityApp;
    let did: string;

    beforeAll(async () => {
      const account = await network.createAccount({ handle: `${kind}.test` });
      ({ did } = account);
      app = await aParityApp({
        model: { entities: [Leaf], mappers: [LeafMapper] },
        sessions: passwordsOf(proxy.url, account),
        database: kind,
        storage: 'database',
      });
    });
    afterAll(() => app?.stop());

    const records = () => network.listRecords(did, 'com.example.leaf');
    const save = (shelf: string, count: number) =>
      app
        .repository(Leaf)
        .save(
          Array.from({ length: count }, (_, index) =>
            app.repository(Leaf).create({ shelf, number: index + 1, did }),
          ),
        );
    const rows = (shelf: string) => app.repository(Leaf).find({ where: { shelf }, order: { number: 'ASC' } });
    const written = async (shelf: string) => {
      const uris = new Set((await records()).map(({ uri }) => uri));
      return (await rows(shelf)).map(({ atpUri }) => atpUri !== null && uris.has(atpUri));
    };
    const sql = (text: string) => app.dataSource.query(text);

    it('writes all rows of a batch, with composite keys', async () => {
      await save('many', 30);
      expect(await written('many')).toEqual(Array.from({ length: 30 }, () => true));
      expect(await app.parity.countPendingSyncs(did)).toBe(0);
    });

    it('deletes the record of a row that was deleted meanwhile, and writes the others', async () => {
      const before = (await records()).length;
      meanwhile = () => sql(`DELETE FROM leaf WHERE shelf = 'going' AND number = 2`);
      await save('going', 3);
      expect(await written('going')).toEqual([true, true]);
      expect(await records()).toHaveLength(before + 2);
      expect(await app.parity.countPendingSyncs(did)).toBe(0);
    });

    it('sends no request once another worker has the lane', async () => {
      const before = (await records()).length;
      meanwhile = () => sql('UPDATE parity_lane SET token = token + 1');
      await save('late', 2);
      expect(await records()).toHaveLength(before);
      await sql('UPDATE parity_lane SET leased = FALSE');
      expect((await app.parity.retryPendingSyncs(did)).succeeded).toBe(2);
      expect(await written('late')).toEqual([true, true]);
    });

    it('writes nothing once another worker has taken the lane', async () => {
      const before = (await records()).length;
      proxy.fault('com.atproto.repo.applyWrites', async (exchange) => {
        const answer = await exchange.forward();
        await sql('UPDATE parity_lane SET token = token + 1');
        exchange.respond(answer);
      });
      await save('lost', 2);
      expect(await records()).toHaveLength(before + 2);
      expect(await written('lost')).toEqual([false, false]);
      expect(await app.parity.countPendingSyncs(did)).toBe(2);
      await sql('UPDATE parity_lane SET leased = FALSE');
      expect((await app.parity.retryPendingSyncs(did)).succeeded).toBe(2);
      expect(await written('lost')).toEqual([true, true]);
      expect(await records()).toHaveLength(before + 2);
    });

    it('writes no row whose ledger cannot be written; the next attempt finds the record', async () => {
      const before = (await records()).length;
      for (const statement of REFUSING[kind].begin) await sql(statement);
      await save('refused', 2);
      expect(await records()).toHaveLength(before + 2);
      expect(await written('refused')).toEqual([false, false]);
      for (const statement of REFUSING[kind].end) await sql(statement);
      await sql('UPDATE parity_lane SET leased = FALSE, retry_at = NULL');
      expect((await app.parity.retryPendingSyncs(did)).succeeded).toBe(2);
      expect(await written('refused')).toEqual([true, true]);
      expect(await records()).toHaveLength(before + 2);
    });
  });
}

/** Makes a ledger that cannot be settled, and ends it. */
const REFUSING = {
  sqlite: {
    begin: [
      `CREATE TRIGGER refuse BEFORE UPDATE ON parity_ledger WHEN NEW.pending_since IS NULL BEGIN SELECT RAISE(ABORT, 'no'); END`,
    ],
    end: ['DROP TRIGGER refuse'],
  },
  postgres: {
    begin: [
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$`,
      'CREATE TRIGGER refuse BEFORE UPDATE ON parity_ledger FOR EACH ROW WHEN (NEW.pending_since IS NULL) EXECUTE FUNCTION refuse()',
    ],
    end: ['DROP FUNCTION refuse CASCADE'],
  },
  mariadb: {
    begin: [
      `CREATE TRIGGER refuse BEFORE UPDATE ON parity_ledger FOR EACH ROW IF NEW.pending_since IS NULL THEN SIGNAL SQLSTATE '45000'; END IF`,
    ],
    end: ['DROP TRIGGER refuse'],
  },
} as const;
