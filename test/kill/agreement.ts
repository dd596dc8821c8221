import type { LocalNetwork } from 'nestjs-parity/testing';
import { parityOf } from '../property/rule-one.js';
import { DONE, live } from './life.js';
import type { World } from './world.js';

/**
 * One more process does what the dead ones have left. Then rule 1 holds, nothing is pending or dead, and
 * nothing was created twice.
 */
export async function expectAgreement(world: World, seed: number): Promise<void> {
  expect(await live(world, seed, null)).toEqual(DONE);
  const { dataSource, accounts, servers } = world;
  const dids = accounts.map(({ did }) => did);
  const { expected, actual } = await parityOf(dataSource, servers.network, dids);
  expect(actual).toEqual(expected);
  const open = 'SELECT l.* FROM parity_ledger l WHERE pending_since IS NOT NULL OR dead_at IS NOT NULL';
  expect(await dataSource.query(open)).toEqual([]);
  for (const did of dids) expect(await createdTwice(servers.network, did)).toEqual([]);
}

/** Addresses that were created more than once; a fixed record key may be, after a delete. */
async function createdTwice(network: LocalNetwork, did: string): Promise<string[]> {
  const used = new Set<string>();
  const twice: string[] = [];
  for (const { action, path } of (await network.commits(did)).flatMap(({ ops }) => ops)) {
    if (action === 'create' && used.has(path)) twice.push(path);
    if (action === 'create') used.add(path);
    if (action === 'delete' && path.endsWith('/self')) used.delete(path);
  }
  return twice;
}
