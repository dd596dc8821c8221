import { ParityOptionsError } from '../../../lib/errors/parity-options.error.js';
import { TapSource } from '../../../lib/inbound/sources/tap/tap.js';
import { Listener } from '../../support/inbound/listener.js';
import { PdsLog } from '../../support/inbound/pds-log.js';
import { StandInTap, TAP_PASSWORD } from '../../support/inbound/stand-in-tap.js';
import { soonAgain } from '../../support/inbound/timing.js';
import { sharedNetwork } from '../../support/shared-network.js';
import { until } from '../../support/until.js';

const DID = 'did:plc:tapped';
const COLLECTION = 'com.example.note';

describe("a message on Tap's websocket", () => {
  let log: PdsLog;
  let service: StandInTap;
  let source: TapSource;

  beforeEach(async () => {
    log = await PdsLog.start((await sharedNetwork()).pdsUrl);
    service = await new StandInTap(log, 100).listen();
    source = new TapSource({ url: `http://${service.host}`, adminPassword: TAP_PASSWORD }, soonAgain);
  });

  afterEach(async () => {
    await service[Symbol.asyncDispose]();
    await log[Symbol.asyncDispose]();
  });

  const options = { cursor: null, accounts: [DID], collections: [COLLECTION] };
  const enqueue = (did: string, fields: object = {}): void => {
    const record = { did, rev: '3a', collection: COLLECTION, rkey: 'x', action: 'delete', live: true };
    service.enqueue({ type: 'record', record: { ...record, ...fields } });
  };

  test('is acknowledged only when the next batch is asked for, and told once although it is sent again', async () => {
    const ending = new AbortController();
    const batches = source.open({ ...options, signal: ending.signal })[Symbol.asyncIterator]();
    await batches.next(); // says that the source is connected
    const first = batches.next();
    await until(() => service.followed.has(DID) && service.sockets.size > 0);
    enqueue(DID);
    const told = await first;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(told.value?.events).toHaveLength(1);
    expect([...service.outbox.keys()]).toEqual([1]);

    const second = batches.next();
    await until(() => service.outbox.size === 0);
    ending.abort();
    await expect(second).resolves.toMatchObject({ done: true });
  });

  test('is acknowledged over the next connection when its own broke meanwhile', async () => {
    const ending = new AbortController();
    const batches = source.open({ ...options, signal: ending.signal })[Symbol.asyncIterator]();
    await batches.next(); // says that the source is connected
    const first = batches.next();
    await until(() => service.followed.has(DID) && service.sockets.size > 0);
    enqueue(DID);
    await first;
    service.drop();
    const rest = (async () => {
      while ((await batches.next()).done !== true);
    })();
    await until(() => service.outbox.size === 0);

    expect(service.requests.length).toBeGreaterThan(1);
    ending.abort();
    await rest;
  });

  test('is acknowledged although it cannot be read, or was not asked for', async () => {
    await using listener = new Listener(source, options);
    await until(() => service.sockets.size > 0);
    service.garbage();
    enqueue('did:plc:other');
    enqueue(DID, { collection: 'com.example.other' });
    await until(() => service.outbox.size === 0);

    expect(listener.told.filter((told) => told !== 'identity' && !told.startsWith('account'))).toEqual([]);
    expect(listener.skipped.length).toBeGreaterThan(5);
  });

  test.each([
    ['an unknown action', { action: 'rename' }],
    ['a CID that is not that of its record', { action: 'create', cid: 'bafyother', record: { a: 1 } }],
    ['no CID', { action: 'update', record: {} }],
  ])('with %s makes that the account is imported again', async (_, fields) => {
    await using listener = new Listener(source, options);
    await until(() => service.sockets.size > 0);
    enqueue(DID, fields);
    await listener.until('sync');
    await until(() => service.outbox.size === 0);

    expect(listener.events).toContainEqual({ kind: 'sync', did: DID, rev: '3a' });
    expect(listener.skipped).toHaveLength(1);
  });

  test('is told as found in an import, if Tap says so', async () => {
    await using listener = new Listener(source, options);
    await until(() => service.sockets.size > 0);
    enqueue(DID, { live: false });
    await listener.until('record x deleted');

    expect(listener.events.find(({ kind }) => kind === 'record')).toMatchObject({ live: false });
  });

  test('ends the iteration where the password is refused', async () => {
    const wrong = new TapSource({ url: `http://${service.host}`, adminPassword: 'wrong' }, soonAgain);
    await using listener = new Listener(wrong);
    await until(() => listener.error !== null);

    expect(listener.error).toBeInstanceOf(ParityOptionsError);
    expect(String(listener.error)).toMatch(/refuses the admin password \(401\)\. Give adminPassword/);
    expect(String(listener.error)).not.toContain('wrong');
  });
});
