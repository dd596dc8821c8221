import { XRPCError } from '@atproto/api';
import { namedScope } from './pds-answers.js';
import type { RecordWrite } from './write-request.js';

/** The scope that a write needs (https://atproto.com/specs/permission). */
export const scopeOf = (write: RecordWrite | undefined): string | undefined =>
  write && `repo:${write.address.collection}?action=${write.action}`;

/** Whether only some of the writes may lack their scope: the PDS refuses all of them, and names no scope. */
export const mayLackScopesOfSome = (error: unknown, writes: readonly RecordWrite[]): boolean =>
  error instanceof XRPCError &&
  namedScope(error) === undefined &&
  writes.some((write) => scopeOf(write) !== scopeOf(writes[0]));
