import type { LocalNetwork, StoredRecord } from 'nestjs-parity/testing';
import type { DataSource } from 'typeorm';
import { Card, Note, Profile } from '../support/entities/notebook.js';

const COLLECTIONS = ['com.example.note', 'com.example.card', 'com.example.profile'];

/**
 * At-uri to text, both of what should be at the PDS and of what is there; records that are kept on purpose
 * are left out of both.
 */
export interface Parity {
  readonly expected: Record<string, string>;
  readonly actual: Record<string, unknown>;
}

/** Compares the rows with the repositories: rule 1 holds if both are equal. */
export async function parityOf(
  dataSource: DataSource,
  network: LocalNetwork,
  dids: readonly string[],
): Promise<Parity> {
  const expected: Record<string, string> = {};
  // A record that was published just before its card was hidden stays, though its row may not have heard of
  // it.
  const kept = new Set<string>();
  const expect = (row: Note | Card | Profile, did: string | undefined, hidden: boolean): void => {
    const label = `${row.constructor.name} ${JSON.stringify(row)}`;
    if (!hidden) {
      const isThere = row.atpUri !== null && (did === undefined || row.getAtpDid() === did);
      expected[isThere ? row.atpUri! : `no record in ${did} of ${label}`] = row.text;
    } else if (row instanceof Card)
      dids.forEach((one) => kept.add(`at://${one}/com.example.card/${row.atpRkey}`));
    else if (row.atpUri !== null) expected[`a record in the row of the hidden ${label}`] = row.text;
  };
  const relations = { user: true };
  for (const note of await dataSource.manager.find(Note, { relations, withDeleted: true }))
    expect(note, note.user.did, !note.open || note.deletedAt !== null);
  for (const card of await dataSource.manager.find(Card, { relations })) expect(card, undefined, !card.open);
  for (const profile of await dataSource.manager.find(Profile)) expect(profile, profile.did, !profile.open);

  const actual: Record<string, unknown> = {};
  for (const did of dids) {
    for (const { uri, value } of await recordsOf(network, did))
      if (!kept.has(uri)) actual[uri] = value['text'];
  }
  return { expected, actual };
}

/** All records of an account that the notebook may have written. */
export async function recordsOf(network: LocalNetwork, did: string): Promise<StoredRecord[]> {
  const records = await Promise.all(COLLECTIONS.map((collection) => network.listRecords(did, collection)));
  return records.flat();
}
