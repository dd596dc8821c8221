import { DatabaseError, SyncFailed, UnexpectedError } from 'nestjs-parity';
import { QueryFailedError } from 'typeorm';
import { classifyFailure, classifyLocalFailure } from '../../lib/pds/failure.js';
import { FaultyNetwork } from '../support/faulty-network.js';
import { Note, notebook, Owner } from '../support/entities/notebook.js';
import { aParityApp, type ParityApp } from '../support/parity-app.js';
import { Sessions, signedIn } from '../support/sessions.js';
import { until } from '../support/until.js';

const DID = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz';

describe('a failure without a part of the PDS is reported by its real cause:', () => {
  const refused = new QueryFailedError('SELECT 1', [], new Error('no such table: note'));

  it('an error of the database is transient and names the database', () => {
    for (const failure of [
      classifyLocalFailure(refused, { did: DID }),
      classifyFailure(refused, { did: DID }),
    ]) {
      expect(failure).toMatchObject({ kind: 'transient', outcome: 'not-applied' });
      expect(failure.error).toBeInstanceOf(DatabaseError);
      expect(failure.error.message).toBe(`The database failed while ${DID} was synced: no such table: note`);
    }
  });

  it('an error of the module is unexpected, and keeps its message', () => {
    const { kind, error } = classifyLocalFailure(new TypeError('x is undefined'), { did: DID });
    expect([kind, error.code, error.message]).toEqual([
      'transient',
      'UNEXPECTED',
      `Syncing ${DID} failed unexpectedly: x is undefined`,
    ]);
  });
});

describe('while something other than the PDS is away', () => {
  let servers: FaultyNetwork;
  let app: ParityApp;
  let did: string;
  let sessions: Sessions;
  beforeAll(async () => {
    servers = await FaultyNetwork.start();
  });
  afterAll(() => servers[Symbol.asyncDispose]());
  beforeEach(async () => {
    ({ did, sessions } = await signedIn(servers));
    app = await aParityApp({
      model: notebook,
      sessions,
      storage: 'database',
      pendingSyncs: { autoRetry: true },
    });
    await app.repository(Owner).save(Object.assign(new Owner(), { id: 1, did }));
  });
  afterEach(() => app.stop());

  const save = (text: string): Promise<Note> =>
    app.repository(Note).save(app.repository(Note).create({ text, open: true, user: { id: 1, did } }));
  const retried = (): Promise<void> =>
    until(async () => {
      await app.parity.retryPendingSyncs(did);
      return !(await app.parity.hasPendingSyncs(did));
    });

  it('a session provider that fails is named, and pauses no PDS', async () => {
    const { agentFor } = sessions;
    sessions.agentFor = () => Promise.reject(new Error('the vault is sealed'));
    for (let saves = 1; saves <= 6; saves++) {
      await save('a');
      await app.parity.retryPendingSyncs(did);
    }
    const errors = app.taken(SyncFailed).map(({ error }) => error);
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.filter((error) => !(error instanceof UnexpectedError))).toEqual([]);
    expect(errors[0]?.message).toContain('gave no session');
    sessions.agentFor = agentFor;
    await retried();
    expect(await servers.network.listRecords(did, 'com.example.note')).toHaveLength(6);
  });

  it('a database that cannot store the outcome is named, and the record is found later', async () => {
    await app.dataSource.query('ALTER TABLE parity_lane RENAME TO parity_lane_away');
    await save('a');
    const failures = app.taken(SyncFailed);
    expect(failures.map(({ error }) => error.message)).toEqual([
      expect.stringContaining('no such table: parity_lane'),
    ]);
    await app.dataSource.query('ALTER TABLE parity_lane_away RENAME TO parity_lane');
    await retried();
    expect(await servers.network.listRecords(did, 'com.example.note')).toHaveLength(1);
  });
});
