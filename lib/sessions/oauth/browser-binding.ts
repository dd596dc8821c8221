import { createHash, randomBytes } from 'node:crypto';

/** A binding that this module may have made. A browser with a shorter value in its cookie gets a new one. */
const BINDING = /^[\w-]{22,128}$/;

/** What the state store keeps with a sign-in under way. */
export interface SignInMemo {
  readonly returnTo: string | null;
  /** Hash of the binding: a reader of the store cannot complete a sign-in with it. */
  readonly bindingHash: string;
  /** Whether `authorize()` was given a binding, so that `callback()` needs one, too. */
  readonly isBound: boolean;
}

/** The value that the browser has already, if it can be a binding; otherwise a new one. */
export const bindingOf = (given: string | undefined): string =>
  given !== undefined && BINDING.test(given) ? given : randomBytes(16).toString('base64url');

export const bindingHash = (binding: string): string =>
  createHash('sha256').update(binding).digest('base64url');

/** The memo of a sign-in; null for other text, as where another program shares the store. */
export function memoOf(appState: string | undefined): SignInMemo | null {
  try {
    return JSON.parse(appState ?? 'null') as SignInMemo | null;
  } catch {
    return null;
  }
}
