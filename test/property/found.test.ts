/** Sequences that the property test found, shrunk; each was a bug. */
import { FaultyNetwork } from '../support/faulty-network.js';
import { World } from './world.js';

let servers: FaultyNetwork;
beforeAll(async () => {
  servers = await FaultyNetwork.start();
});
afterAll(() => servers[Symbol.asyncDispose]());

it('a delete that joins the transaction of a stranger, who commits before it, takes its record with it', async () => {
  const { expected, actual } = await World.after(
    [
      { kind: 'insert', account: 0, text: 'a', open: true },
      {
        kind: 'side-by-side',
        writes: [
          { kind: 'insert', account: 1, text: 'a', open: true },
          { kind: 'remove', row: 0 },
          { kind: 'edit', row: 0, text: 'c' },
        ],
      },
    ],
    servers,
    { mode: 'inline', storage: 'database', database: 'sqlite' },
  );
  expect(actual).toEqual(expected);
});

it('a record whose owner changes while it is first written is in one account only', async () => {
  const { expected, actual } = await World.after(
    [
      { kind: 'fault', fault: 'slow', reads: false, times: 1 },
      { kind: 'insert', account: 0, text: 'a', open: true },
      { kind: 'pause', ms: 60 },
      { kind: 'give-to', row: 0, account: 1 },
    ],
    servers,
    { mode: 'background', storage: 'cache', database: 'sqlite' },
  );
  expect(actual).toEqual(expected);
});

it.each(['cache', 'database'] as const)(
  'a record that stays where it is first written is in one account only, though its owner changes meanwhile (%s)',
  async (storage) => {
    const { expected, actual } = await World.after(
      [
        { kind: 'fault', fault: 'slow', reads: false, times: 1 },
        { kind: 'card', row: 0, account: 0, text: 'a', open: true },
        { kind: 'pause', ms: 60 },
        { kind: 'give-card-to', row: 0, account: 1 },
        { kind: 'pause', ms: 60 },
      ],
      servers,
      { mode: 'background', storage, database: 'sqlite' },
    );
    expect(actual).toEqual(expected);
  },
);

it.each(['cache', 'database'] as const)(
  'an edit that changes the owner while the record is first written reaches the account that it stays in (%s)',
  async (storage) => {
    const { expected, actual } = await World.after(
      [
        { kind: 'fault', fault: 'slow', reads: false, times: 1 },
        { kind: 'card', row: 0, account: 0, text: 'a', open: true },
        { kind: 'pause', ms: 60 },
        { kind: 'revoke', account: 1 },
        { kind: 'card', row: 0, account: 1, text: 'c', open: true },
        { kind: 'pause', ms: 60 },
        { kind: 'pause', ms: 60 },
        { kind: 'pause', ms: 60 },
      ],
      servers,
      { mode: 'background', storage, database: 'sqlite' },
    );
    expect(actual).toEqual(expected);
  },
);

it.each(['inline', 'background'] as const)(
  'a row that takes over the address of another with the same content hears of its record (%s)',
  async (mode) => {
    const { expected, actual } = await World.after(
      [
        { kind: 'profile', account: 0, text: 'a', open: true },
        { kind: 'pause', ms: 60 },
        {
          kind: 'transaction',
          writes: [{ kind: 'replace-profile', account: 0, text: 'a' }],
          savepoint: null,
          rollback: false,
        },
      ],
      servers,
      { mode, storage: 'database', database: 'sqlite' },
    );
    expect(actual).toEqual(expected);
  },
);

it.each(['cache', 'database'] as const)(
  'a row that goes while its record is first written takes it along, though the session ends before the delete (%s)',
  async (storage) => {
    const { expected, actual } = await World.after(
      [
        { kind: 'fault', fault: 'slow', reads: false, times: 1 },
        { kind: 'insert', account: 0, text: 'a', open: true },
        { kind: 'pause', ms: 60 },
        { kind: 'revoke', account: 0 },
        { kind: 'remove', row: 0 },
        { kind: 'pause', ms: 60 },
        { kind: 'pause', ms: 60 },
        { kind: 'pause', ms: 60 },
      ],
      servers,
      { mode: 'background', storage, database: 'sqlite' },
    );
    expect(actual).toEqual(expected);
  },
);

it.each(['cache', 'database'] as const)(
  'a hidden row takes along the record that it took over while the PDS was down (%s)',
  async (storage) => {
    const { expected, actual } = await World.after(
      [
        { kind: 'replace-profile', account: 0, text: 'a' },
        { kind: 'fault', fault: 'down', reads: false, times: 1 },
        {
          kind: 'transaction',
          writes: [
            { kind: 'replace-profile', account: 0, text: 'a' },
            { kind: 'insert', account: 0, text: 'a', open: true },
          ],
          savepoint: null,
          rollback: false,
        },
        { kind: 'profile', account: 0, text: 'a', open: false },
      ],
      servers,
      { mode: 'inline', storage, database: 'sqlite' },
    );
    expect(actual).toEqual(expected);
  },
);

it('a record that is published by hand while its owner changes leaves the account of the earlier owner', async () => {
  const { expected, actual } = await World.after(
    [
      { kind: 'insert', account: 1, text: 'a', open: true },
      { kind: 'publish', row: 0 },
      { kind: 'edit', row: 0, text: 'a' },
      { kind: 'give-to', row: 0, account: 0 },
      { kind: 'side-by-side', writes: [{ kind: 'profile', account: 0, text: 'a', open: true }] },
      { kind: 'retry', account: 0 },
      { kind: 'unit', writes: [{ kind: 'card', row: 0, account: 0, text: 'a', open: false }] },
    ],
    servers,
    { mode: 'background', storage: 'database', database: 'sqlite' },
  );
  expect(actual).toEqual(expected);
});
