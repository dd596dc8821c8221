import { TID } from '@atproto/common-web';
import type { Bare } from './setting.js';

export const collection = 'com.example.note';

export const contents = (count: number, dids: readonly string[]): { did: string; content: string }[] =>
  Array.from({ length: count }, (_, index) => ({
    did: dids[index % dids.length] ?? '',
    content: `Number ${index} of ${Math.random()}, and then some words, as a short post has them.`,
  }));

/** What the module makes of a note. */
export const recordOf = ({ title, content, language }: Pick<Bare, 'title' | 'content' | 'language'>) => ({
  $type: collection,
  title,
  content,
  language,
});

export const createOf = (note: Pick<Bare, 'title' | 'content' | 'language'>) => ({
  $type: 'com.atproto.repo.applyWrites#create' as const,
  collection,
  rkey: TID.nextStr(),
  value: recordOf(note),
});
