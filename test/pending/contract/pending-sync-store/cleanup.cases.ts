import assert from 'node:assert/strict';
import type { ContractCase } from '../contract-case.js';
import { aChange, ALICE, BOB, contractCase, LONG } from './fixtures.js';

/** More than any store gives up in one call. */
const MANY = 1_100;

const neverExpires = (span: number, what: string, change: Parameters<typeof aChange>[1]): ContractCase =>
  contractCase(
    `${what} never expires`,
    async (scene) => {
      await scene.store.capture([aChange('a', change), aChange('b')]);
      await scene.pass(span);
      assert.deepEqual(
        (await scene.store.cleanup()).map(({ sync }) => sync.rkey),
        ['b'],
      );
      assert.deepEqual(await scene.due(), ['a']);
    },
    span / 1_000,
  );

export const cleanupCases = (span: number): ContractCase[] => [
  contractCase(
    'cleanup gives up entries older than the ttl',
    async (scene) => {
      await scene.store.capture([
        aChange('a'),
        aChange('b', { operation: 'republish' }),
        aChange('x', { did: BOB }),
      ]);
      const syncs = [...(await scene.store.forDid(ALICE)), ...(await scene.store.forDid(BOB))];
      await scene.pass(span);
      const discarded = await scene.store.cleanup();
      assert.deepEqual(
        discarded.map(({ sync }) => sync.uri).toSorted(),
        syncs.map(({ uri }) => uri).toSorted(),
      );
      const reasons = [...new Set(discarded.map(({ reason }) => reason))];
      assert.deepEqual(reasons, [`it was pending for more than ${span / 1_000} seconds (ttl)`]);
      assert.equal(await scene.store.hasForDid(ALICE), false);
      assert.deepEqual(await scene.store.cleanup(), []);
    },
    span / 1_000,
  ),

  contractCase(
    'cleanup leaves entries younger than the ttl',
    async (scene) => {
      await scene.store.capture([aChange('a')]);
      await scene.pass(span);
      assert.deepEqual(await scene.store.cleanup(), []);
      assert.deepEqual(await scene.due(), ['a']);
    },
    LONG / 1_000,
  ),

  contractCase('without a ttl nothing expires', async (scene) => {
    await scene.store.capture([aChange('a')]);
    await scene.pass(span);
    assert.deepEqual(await scene.store.cleanup(), []);
    assert.deepEqual(await scene.due(), ['a']);
  }),

  neverExpires(span, 'what may have to delete a record', { operation: 'republish', mayDelete: true }),

  neverExpires(span, 'an unpublish', { operation: 'unpublish', givenUp: true }),

  contractCase(
    'an entry that has become an unpublish never expires',
    async (scene) => {
      await scene.store.capture([aChange('a')]);
      await scene.store.capture([aChange('a', { operation: 'unpublish', givenUp: true })]);
      await scene.pass(span);
      assert.deepEqual(await scene.store.cleanup(), []);
      assert.deepEqual(await scene.due(), ['a']);
    },
    span / 1_000,
  ),

  contractCase(
    'cleanup is bounded, and empty when there is nothing more to do',
    async (scene) => {
      await scene.store.capture(Array.from({ length: MANY }, (_, index) => aChange(`r${index}`)));
      await scene.pass(span);
      const uris = new Set<string>();
      for (let found = await scene.store.cleanup(); found.length > 0; found = await scene.store.cleanup()) {
        assert.ok(found.length < MANY, 'everything went in one call');
        for (const { sync } of found) {
          assert.ok(!uris.has(sync.uri), `${sync.uri} was given up twice`);
          uris.add(sync.uri);
        }
      }
      assert.equal(uris.size, MANY);
      assert.equal(await scene.store.countForDid(ALICE), 0);
    },
    span / 1_000,
  ),
];
