import type { DataSource, Logger } from 'typeorm';
import type { SqlScript } from '../../lib/database/sql-script.js';
import type { LaneNext } from '../../lib/pending/pending-entry.js';
import { DatabaseInboundLedger } from '../../lib/pending/database/database-inbound.ledger.js';
import { DatabasePendingSyncStore } from '../../lib/pending/database/database-pending-sync.store.js';
import { DatabaseRepositoryStateStore } from '../../lib/pending/database/database-repository-state.store.js';
import { DatabaseRepositoryStore } from '../../lib/pending/database/database-repository.store.js';
import { DeadLetters } from '../../lib/pending/database/dead-letters.js';
import { LedgerAccess } from '../../lib/pending/database/ledger.access.js';
import { databaseKinds, describeDatabase } from '../support/databases.js';
import { addressOf, admitted, anIssue } from './contract/inbound/fixtures.js';
import { leaseOf, aChange, ALICE, Ledger, uriOf } from './database-fixtures.js';

/** No work beside the settlement. */
function* noWork(): SqlScript<void> {}

interface Logged {
  readonly sql: string;
  readonly parameters: unknown[];
}

function loggerTo(tell: (statement: Logged) => void): Logger {
  const nothing = (): void => undefined;
  return {
    logQuery: (sql, parameters: unknown = []) => tell({ sql, parameters: parameters as unknown[] }),
    logQueryError: nothing,
    logQuerySlow: nothing,
    logSchemaBuild: nothing,
    logMigration: nothing,
    log: nothing,
  };
}

const ACCOUNTS = 10_000;
const EACH = 3;

/** Microseconds since 1970, in the year 2100. */
const LATER = 4_102_444_800_000_000;

/**
 * 30,000 addresses, of which 27,900 have a record, 2,000 are pending, 1,100 of them backfill, and 100 dead; 10,000 lanes, of which
 * 100 are awake, 10 of them for nothing but backfill; in 100 the backfill waits for its turn, in 200 for its
 * time.
 */
async function fill({ dataSource, store }: Ledger): Promise<void> {
  const dids = Array.from({ length: ACCOUNTS }, (_, index) => `did:plc:${String(index).padStart(24, '2')}`);
  for (let start = 0; start < ACCOUNTS; start += 500) {
    const changes = dids
      .slice(start, start + 500)
      .flatMap((did) => Array.from({ length: EACH }, (_, index) => aChange(`r${index}`, { did })));
    await store.capture(changes);
  }
  await dataSource.query(
    `UPDATE parity_ledger SET pending_since = NULL WHERE NOT (did LIKE '%0' AND rkey < 'r2')`,
  );
  await dataSource.query(
    `UPDATE parity_ledger SET pending_since = NULL, dead_at = 1 WHERE did LIKE '%55' AND rkey = 'r2'`,
  );
  await dataSource.query(
    `UPDATE parity_ledger SET backfill = TRUE WHERE did LIKE '%0' AND rkey = 'r1' OR (did LIKE '%70' OR did LIKE '%500') AND rkey = 'r0'`,
  );
  await dataSource.query(
    'INSERT INTO parity_lane (did, token, leased, wakes, failures, ready_at, backfill_at) SELECT did, 1, FALSE, 0, 0, ' +
      `CASE WHEN did LIKE '%00' THEN 1 END, CASE WHEN did LIKE '%70' THEN 2 WHEN did LIKE '%20' OR did LIKE '%40' THEN ${LATER} END ` +
      `FROM parity_ledger WHERE rkey = 'r0'`,
  );
  await dataSource.query(
    `UPDATE parity_ledger SET cid = 'bafy' WHERE pending_since IS NULL AND dead_at IS NULL`,
  );
  await dataSource.query(
    'INSERT INTO parity_repository (did, ours, status, asked, failures, token, import_at) SELECT did, ' +
      `did LIKE '%1', 'active', 0, 0, 0, CASE WHEN did LIKE '%00' THEN 1 END FROM parity_ledger WHERE rkey = 'r0'`,
  );
  await dataSource.query(
    'INSERT INTO parity_inbound (rkey, did, collection, kind, entity_name, entity_id, rev, reason, created_at) SELECT ' +
      `rkey, did, collection, CASE WHEN did LIKE '%0' THEN 'conflict' ELSE 'rejected' END, 'Post', '', '3k', 'no', version ` +
      'FROM parity_ledger',
  );
  if (dataSource.options.type === 'mariadb')
    await dataSource.query('ANALYZE TABLE parity_ledger, parity_lane, parity_repository, parity_inbound');
  else await dataSource.query('ANALYZE');
  // The visibility map is what makes an index enough.
  if (dataSource.options.type === 'postgres') await dataSource.query('VACUUM parity_ledger');
}

/** Where the plan reads one of the module's tables from end to end. */
async function scans(dataSource: DataSource, { sql, parameters }: Logged): Promise<string[]> {
  // Of what SQLite runs once per row only the number of rows is logged.
  const given = dataSource.options.type === 'better-sqlite3' ? sql.match(/\?/g)?.map(() => null) : parameters;
  const rows = (statement: string): Promise<Record<string, string>[]> => dataSource.query(statement, given);
  switch (dataSource.options.type) {
    case 'postgres': {
      const lines = (await rows(`EXPLAIN ${sql}`)).map((row) => row['QUERY PLAN'] ?? '');
      // For a page of accounts PostgreSQL likes to hash a table of lanes as small as this one.
      return lines.filter(
        (line) => /Seq Scan on parity/.test(line) && !/Seq Scan on parity_lane a .*rows=\d{4}/.test(line),
      );
    }
    case 'mariadb':
      return (await rows(`EXPLAIN ${sql.replace(/^.* FOR \*\/ /, '')}`))
        .filter(({ select_type }) => select_type !== 'INSERT')
        .filter(({ table, type }) => /^(l|a|parity_\w+)$/.test(table ?? '') && type === 'ALL')
        .map((row) => JSON.stringify(row));
    default:
      return (await rows(`EXPLAIN QUERY PLAN ${sql}`))
        .map(({ detail }) => detail ?? '')
        .filter(
          (detail) => /^SCAN (l|a|parity_\w+)\b/.test(detail) && !/USING (COVERING )?INDEX/.test(detail),
        );
  }
}

for (const kind of databaseKinds) {
  describeDatabase(kind)(`with 30,000 addresses in the ledger (${kind})`, () => {
    let ledger: Ledger;
    let logged: Logged[] | undefined;
    const did = `did:plc:${'10'.padStart(24, '2')}`;
    const withBackfill = `did:plc:${'70'.padStart(24, '2')}`;
    const logger = loggerTo((statement) => logged?.push(statement));

    beforeAll(async () => {
      ledger = await Ledger.open(kind, { logger } as object);
      await fill(ledger);
    });
    afterAll(() => ledger?.database.cleanup());

    const statementsOf = async (work: () => Promise<unknown>): Promise<Logged[]> => {
      logged = [];
      try {
        await work();
        return logged.filter(({ sql }) => /parity_/.test(sql) && !/^INSERT.*VALUES \(\?/.test(sql));
      } finally {
        logged = undefined;
      }
    };

    const inbound = (): DatabaseInboundLedger => new DatabaseInboundLedger({ dataSource: ledger.dataSource });

    const operations: Record<string, (store: DatabasePendingSyncStore) => Promise<unknown>> = {
      capture: (store) => store.capture([aChange('r0', { did }), aChange('new', { did })]),
      'capture of what may be settled': (store) =>
        store.capture(['r0', 'r2', 'new'].map((rkey) => aChange(rkey, { did, unlessSettled: true }))),
      due: (store) => store.due(did, { limit: 200, backlog: false }),
      'due with its backlog': (store) => store.due(did, { limit: 200, backlog: true }),
      'due with backfill': async (store) => {
        const due = await store.due(withBackfill, { limit: 200, backlog: false });
        expect(due.map(({ backfill }) => backfill)).toEqual([true, true]);
        await store.due(withBackfill, { limit: 200, backlog: true });
      },
      at: (store) => store.at(did, [uriOf('r0', did), uriOf('r1', did)]),
      'forDid, countForDid, hasForDid': (store) =>
        Promise.all([store.forDid(did), store.countForDid(did), store.hasForDid(did)]),
      'find and remove': (store) =>
        Promise.all([store.find(uriOf('r0', did)), store.remove(uriOf('r1', did))]),
      'lease, extend, release': async (store) => {
        const lease = await leaseOf(store, did, 60_000);
        if (!lease) throw new Error('the lane is not free');
        await store.extend(lease, 60_000);
        await store.release(lease, { next: 'asleep', failures: 0 });
      },
      'enter, settleWith': async (store) => {
        const uris = [uriOf('r0', withBackfill), uriOf('r1', withBackfill)];
        const { lease, entries } = await store.enter(withBackfill, uris, { milliseconds: 60_000 });
        if (!lease) throw new Error('the lane is not free');
        expect(entries).toHaveLength(2);
        const state = { head: 'bafy', inFlight: null, unsettled: {}, spentPoints: [] };
        const done = uris.map((uri) => ({ uri, version: 1, cid: null }));
        const row = {
          text: 'UPDATE parity_lane SET did = did WHERE did = $1',
          parameters: [`${did}x`],
        };
        expect(await store.settleRow(lease, row, { done, state, isLast: true })).toBe(false);
        await store.settleWith(lease, noWork(), () => ({ done, state, isLast: true }));
      },
      'wake for backfill, and every way to give a lane back': async (store) => {
        const ends: LaneNext[] = [
          'as-before',
          'ready',
          { backfillAt: new Date(Date.now() + 60_000) },
          'asleep',
        ];
        for (const next of ends) {
          await store.wake(withBackfill, { backfill: true });
          const lease = await leaseOf(store, withBackfill, 60_000);
          if (!lease) throw new Error('the lane is not free');
          await store.release(lease, { next, failures: 0 });
        }
      },
      'settle, failed, discard': async (store) => {
        const lease = await leaseOf(store, did, 60_000);
        const [entry] = await store.due(did, { limit: 1, backlog: true });
        if (!lease || !entry) throw new Error('nothing to do');
        const { sync, version } = entry;
        const uris = Array.from({ length: 200 }, (_, index) => uriOf(`s${index}`, did));
        await store.failed(lease, [
          { uri: sync.uri, version, error: 'no', countsAttempt: true, needsSession: false },
        ]);
        await store.settle(
          lease,
          [sync.uri, ...uris].map((uri) => ({ uri, version, cid: null })),
        );
        await store.discard(lease, [{ entry, reason: 'no' }]);
        await store.release(lease, { next: { retryAt: new Date(Date.now() + 1_000) }, failures: 1 });
      },
      'wake, park, unpark, lane': async (store) => {
        await store.wake(did);
        await store.park(did, { reason: 'gone', sessionId: 's', code: 'OAUTH_SESSION_INVALID' });
        await store.lane(did);
        await store.unpark(did, { retry: false });
      },
      readyLanes: (store) => store.readyLanes(10),
      'readyLanes with lanes that have only backfill': async (store) => {
        expect(await store.readyLanes(150)).toHaveLength(150);
      },
      sweep: (store) => store.sweep(0),
      'what is left to other processes': async () => {
        const store = new DatabasePendingSyncStore({ dataSource: ledger.dataSource, ttl: 60 });
        store.leave('Unknown');
        await store.due(did, { limit: 200, backlog: false });
        await store.due(did, { limit: 200, backlog: true });
        expect(await store.readyLanes(150)).toHaveLength(150);
        for (const next of ['asleep', { backfillAt: new Date(Date.now() + 60_000) }] as LaneNext[]) {
          const lease = await leaseOf(store, did, 60_000);
          if (!lease) throw new Error('the lane is not free');
          await store.release(lease, { next, failures: 0 });
        }
        await store.cleanup();
      },
      'dead letters': async () => {
        const letters = new DeadLetters(new LedgerAccess(ledger.dataSource));
        await letters.list({ limit: 5 });
        await letters.list({ did, limit: 5 });
        await letters.requeue(uriOf('r2', did));
        await letters.purge(new Date(0));
      },
      'addresses with a record or a change that waits': async () => {
        const page = { after: '', limit: 100 };
        const found = await inbound().addresses(did, 'com.example.post', page);
        expect(found.map(({ address }) => address.rkey)).toContain('r2');
      },
      'at, inFlight, admit': () =>
        ledger.dataSource.transaction(async ({ queryRunner }) => {
          const runner = queryRunner!;
          const addresses = ['r0', 'r2', 'other'].map((rkey) => addressOf(rkey, did));
          await inbound().lock([did], runner);
          await inbound().inFlight([did, withBackfill], runner);
          const { known } = await inbound().at(addresses, runner);
          expect(known.size).toBe(2);
          await inbound().admit(
            addresses.map((address) => admitted(address.rkey, { did, isNew: address.rkey === 'other' })),
            runner,
          );
        }),
      'issues of records': async () => {
        const kept = { address: addressOf('r0', did), kind: 'conflict' } as const;
        const [after] = await inbound().issues({ kind: 'rejected', limit: 1 });
        await inbound().issues({ kind: 'rejected', after, limit: 10 });
        await inbound().issues({ kind: 'conflict', did, limit: 10 });
        expect(await inbound().issue(kept.address)).toMatchObject(kept);
        await ledger.dataSource.transaction(async ({ queryRunner }) => {
          await inbound().keepIssues([anIssue('r0', { did }), anIssue('x', { did })], queryRunner!);
          await inbound().removeIssues([addressOf('r0', did), addressOf('none', did)], queryRunner!);
        });
      },
      'accounts and their imports': async () => {
        const repositories = new DatabaseRepositoryStore(ledger.dataSource);
        expect(await repositories.dueImports(10)).toHaveLength(10);
        await repositories.importDue([did]);
        await repositories.find(did);
        const lease = (await repositories.leaseImport(did, 60_000))!;
        await repositories.extendImport(lease, 60_000);
        await repositories.endImport(lease, { error: 'no', retryAt: null });
        await repositories.resetImport(did);
        await repositories.update(did, { handle: 'a.test' });
      },
      'the state of a repository': async () => {
        const state = new DatabaseRepositoryStateStore(ledger.dataSource);
        await state.sending(did, { head: 'bafy', inFlight: null, unsettled: {}, spentPoints: [] });
        await state.load(did);
      },
    };

    it.each(Object.keys(operations))('%s reads no table from end to end', async (name) => {
      const statements = await statementsOf(() => operations[name]!(ledger.store));
      const found: Record<string, string[]> = {};
      for (const statement of statements) {
        const lines = await scans(ledger.dataSource, statement);
        if (lines.length > 0) found[statement.sql] = lines;
      }
      expect(found).toEqual({});
      // SQLite captures row by row: there is nothing to plan.
      expect(statements.length > 0).toBe(kind !== 'sqlite' || name !== 'capture');
    });

    if (kind === 'postgres') {
      it('counts with the index alone', async () => {
        const statements = await statementsOf(() =>
          Promise.all([ledger.store.countForDid(ALICE), ledger.store.hasForDid(ALICE)]),
        );
        for (const { sql, parameters } of statements) {
          const plan: unknown = await ledger.dataSource.query(`EXPLAIN ${sql}`, parameters);
          expect(JSON.stringify(plan)).toContain('Index Only Scan');
        }
      });
    }
  });
}

it('SQLite looks keys up however much is pending in their lane, without ANALYZE', async () => {
  const statements: Logged[] = [];
  const logger = loggerTo((statement) => statements.push(statement));
  const { store, dataSource, database } = await Ledger.open('sqlite', { logger } as object);
  await store.at(ALICE, [uriOf('r0')]);
  const { sql, parameters } = statements.at(-1)!;
  const plan: unknown = await dataSource.query(`EXPLAIN QUERY PLAN ${sql}`, parameters);
  expect(JSON.stringify(plan)).toContain('SEARCH l USING PRIMARY KEY (rkey=? AND did=? AND collection=?)');
  await database.cleanup();
});
