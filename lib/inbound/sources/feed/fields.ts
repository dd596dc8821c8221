import type { SourceEvent } from '../record-source.js';

/** A message, or a part of it, is not what its service's protocol says. The message says what is wrong. */
export class Unreadable extends Error {}

export type Fields = Readonly<Record<string, unknown>>;

export const fieldsOf = (value: unknown, what: string): Fields => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Unreadable(`${what} is no object`);
};

export const textOf = (fields: Fields, name: string): string => {
  const value = fields[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new Unreadable(`'${name}' is no text`);
};

export const flagOf = (fields: Fields, name: string): boolean => {
  const value = fields[name];
  if (typeof value === 'boolean') return value;
  throw new Unreadable(`'${name}' is neither true nor false`);
};

export const positionOf = (fields: Fields, name: string): number => {
  const value = fields[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Unreadable(`'${name}' is no position`);
};

const optional = (fields: Fields, name: string): string | undefined => {
  const value = fields[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

export function accountEvent(did: string, fields: Fields): SourceEvent {
  const status = optional(fields, 'status');
  return {
    kind: 'account',
    did,
    active: flagOf(fields, 'active'),
    ...(status === undefined ? {} : { status }),
  };
}

export function identityEvent(did: string, fields: Fields): SourceEvent {
  const handle = optional(fields, 'handle');
  return { kind: 'identity', did, ...(handle === undefined ? {} : { handle }) };
}

/** @throws Unreadable */
export function jsonOf(message: Buffer): unknown {
  try {
    return JSON.parse(message.toString());
  } catch {
    throw new Unreadable('it is no JSON');
  }
}

/** What the service names as the reason of an advisory, for a gap's reason. */
export const noticeOf = (fields: Fields): string =>
  [optional(fields, 'name') ?? 'no name', optional(fields, 'message')].filter(Boolean).join(': ');
