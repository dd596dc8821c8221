import { createHash, randomBytes } from 'node:crypto';

/** What a cookie may have brought: whoever sends less than what is made here gets another one. */
const BINDING = /^[\w-]{22,128}$/;

/** What the state store keeps with a sign-in under way. */
export interface SignInMemo {
  readonly returnTo: string | null;
  /** Of the binding: who can read the store cannot complete a sign-in with it. */
  readonly bindingHash: string;
  /** Whether `authorize()` was told of bindings, so that `callback()` must be. */
  readonly isBound: boolean;
}

/** The value that the browser has already, if it can be one; otherwise a new one. */
export const bindingOf = (given: string | undefined): string =>
  given !== undefined && BINDING.test(given) ? given : randomBytes(16).toString('base64url');

export const bindingHash = (binding: string): string =>
  createHash('sha256').update(binding).digest('base64url');

/** null for what is none, as where another program shares the store. */
export function memoOf(appState: string | undefined): SignInMemo | null {
  try {
    return JSON.parse(appState ?? 'null') as SignInMemo | null;
  } catch {
    return null;
  }
}
