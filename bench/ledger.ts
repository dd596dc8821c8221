/** What the size of the ledger costs: 1,000,000 rows of 100,000 accounts in PostgreSQL, against a table with hardly any. `node bench/dist/ledger.js` */
import { ParityService, PendingSyncManager } from 'nestjs-parity';
import { DataSource } from 'typeorm';
import { didOf, ledgerApplication, type LedgerSize } from './support/ledgers.js';
import { compare, report, type Ratio } from './support/measure.js';
import { Note } from './support/setting.js';

const sizes: [LedgerSize, LedgerSize] = [
  { accounts: 100_000, addresses: 10 },
  { accounts: 100, addresses: 1 },
];
const [big, small] = [
  await ledgerApplication(`bench_ledger_big_${process.pid}`, sizes[0]),
  await ledgerApplication(`bench_ledger_small_${process.pid}`, sizes[1]),
];
type App = typeof big.app;

const anyDid = ({ accounts }: LedgerSize): string => didOf(Math.floor(Math.random() * accounts));

/** The same in both, side by side. */
async function measured(
  what: string,
  prepare: (app: App, size: LedgerSize) => Promise<() => Promise<unknown>>,
): Promise<Ratio> {
  const runs = [await prepare(big.app, sizes[0]), await prepare(small.app, sizes[1])] as const;
  for (const { tidy } of [big, small]) await tidy();
  const ratio = await compare(
    what,
    1.2,
    [
      { name: 'big', run: runs[0] },
      { name: 'small', run: runs[1] },
    ],
    { rounds: 6_000, warmUp: 2_000 },
  );
  return { ...ratio, notes: `${await big.rows()} and ${await small.rows()} rows` };
}

const ratios: Ratio[] = [];
try {
  ratios.push(
    await measured('hasPendingSyncs(did)', async (app, size) => {
      const parity = app.get(ParityService);
      return () => parity.hasPendingSyncs(anyDid(size));
    }),
    await measured('PendingSyncManager.capture(entity)', async (app, size) => {
      const manager = app.get(PendingSyncManager);
      const notes = app.get(DataSource).getRepository(Note);
      const saved = await notes.save(
        Array.from({ length: 200 }, () => notes.create({ did: anyDid(size), content: 'x' })),
      );
      return () => manager.capture(saved[Math.floor(Math.random() * saved.length)] as Note);
    }),
    await measured('save() of a new entity, captured in its transaction', async (app, size) => {
      const notes = app.get(DataSource).getRepository(Note);
      return () => notes.save(notes.create({ did: anyDid(size), content: 'x' }));
    }),
  );
} finally {
  await big.close();
  await small.close();
}
report(ratios);
