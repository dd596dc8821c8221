import { XRPCError } from '@atproto/api';
import { namedScope } from './words.js';
import type { RecordWrite } from './write-request.js';

/** The scope that a write needs (https://atproto.com/specs/permission). */
export const scopeOf = (write: RecordWrite | undefined): string | undefined =>
  write && `repo:${write.address.collection}?action=${write.action}`;

/** Whether some of the writes have their scope, although the PDS, which names none, refuses them together. */
export const mayLackScopesOfSome = (error: unknown, writes: readonly RecordWrite[]): boolean =>
  error instanceof XRPCError &&
  namedScope(error) === undefined &&
  writes.some((write) => scopeOf(write) !== scopeOf(writes[0]));
