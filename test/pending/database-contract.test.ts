import { DatabasePendingSyncStore } from '../../lib/pending/database/database-pending-sync.store.js';
import type { OpenSubject } from './contract/contract-case.js';
import { pendingSyncStoreContract } from './contract/pending-sync-store.contract.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { Ledger } from './database-fixtures.js';

for (const kind of databaseKinds) {
  describeDatabase(kind)(`the ledger (${kind})`, () => {
    let ledger: Ledger;
    let peer: DatabasePendingSyncStore;

    beforeAll(async () => {
      ledger = await Ledger.open(kind);
      peer = await ledger.peer();
    });
    afterAll(() => ledger?.database.cleanup());

    const open: OpenSubject = async ({ ttl }) => {
      const { dataSource } = ledger;
      await ledger.clear();
      return {
        store: new DatabasePendingSyncStore({ dataSource, ttl }),
        peer,
        transaction: (work) =>
          dataSource.transaction(async ({ queryRunner }) => {
            if (queryRunner) await work(queryRunner);
          }),
      };
    };

    it.each(pendingSyncStoreContract({ span: 200, durable: true }))('$name', ({ run }) =>
      expect(run(open)).resolves.toBeUndefined(),
    );
  });
}
