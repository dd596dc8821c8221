import type { WriteStep } from '../property/steps.js';
import { random } from './random.js';

/** On rows of one application at a time. */
export const ALL_WRITES = [
  'insert', 'insert', 'edit', 'save-partly', 'update-where', 'hide', 'give-to', 'remove', 'delete-where',
  'soft-remove', 'recover', 'card', 'card', 'remove-card', 'give-card-to', 'profile', 'remove-profile',
  'replace-profile',
] as const satisfies WriteStep['kind'][]; // prettier-ignore

/**
 * On rows that other processes write, too. Without criteria, which rows may enter between SELECT and UPDATE.
 */
export const SHARED_WRITES = [
  'insert', 'insert', 'edit', 'save-partly', 'hide', 'give-to', 'remove', 'soft-remove', 'recover', 'card', 'card',
  'remove-card', 'profile',
] as const satisfies WriteStep['kind'][]; // prettier-ignore

/** On notes whose record stays in one account. */
export const NOTE_WRITES = [
  'insert', 'edit', 'save-partly', 'update-where', 'hide', 'hide', 'remove', 'soft-remove', 'recover',
  'recover',
] as const satisfies WriteStep['kind'][]; // prettier-ignore

/** @param texts few, so that rows have the same content */
export function randomWrite(
  { integer, pick }: ReturnType<typeof random>,
  kinds: readonly WriteStep['kind'][],
  { texts = ['a', 'b', 'c', 'd'], rows = 12, accounts = 2 } = {},
): WriteStep {
  const [kind, text, row] = [pick(kinds), pick(texts), integer(rows)];
  return { kind, row, account: integer(accounts), text, open: integer(4) > 0 } as WriteStep;
}
