import { XRPCError } from '@atproto/api';
import type { Account, AccountDirectory } from './account.directory.js';
import { queryFailure } from './pds.queries.js';
import type { Inactive, InactiveStatus } from './reading.js';

/** In ms. An account that was found so long ago has not moved since. */
const FRESH_MS = 60_000;

/** Answers that tell the state of the account. */
const STATES: Readonly<Record<string, InactiveStatus>> = {
  RepoNotFound: 'deleted',
  AccountNotFound: 'deleted',
  RepoDeactivated: 'deactivated',
  AccountDeactivated: 'deactivated',
  RepoTakendown: 'takendown',
  AccountTakedown: 'takendown',
  RepoSuspended: 'suspended',
};

/** The state that an answer tells; undefined where it tells none. */
export const inactiveStatus = (error: unknown): InactiveStatus | undefined =>
  error instanceof XRPCError && error.headers !== undefined && Object.hasOwn(STATES, error.error)
    ? STATES[error.error]
    : undefined;

export interface Question<T> {
  readonly did: string;
  /** For messages. */
  readonly method: string;
  readonly signal?: AbortSignal | undefined;
  ask(account: Account): Promise<T>;
}

/** Asks the PDS of an account. */
export class AccountQueries {
  constructor(private readonly directory: AccountDirectory) {}

  /**
   * The PDS that an account has left says that it is deactivated or deleted, or is gone itself. So before that
   * is told, the directory is asked where the account is by now.
   *
   * @throws a ParityError, or the signal's reason
   */
  async answer<T extends { readonly status: string }>(question: Question<T>): Promise<T | Inactive> {
    const { did, signal } = question;
    const notBefore = Date.now() - FRESH_MS;
    const account = await this.directory.account(did);
    let failed: unknown;
    let answer: T | Inactive | undefined;
    try {
      answer = await answerAt(account, question);
      if (answer.status === 'active') return answer;
    } catch (error) {
      if (signal?.aborted) throw error;
      failed = error;
    }
    const current = await this.directory.account(did, { notBefore }).catch((error: unknown) => {
      throw failed ?? error;
    });
    if (current.pds !== account.pds) return answerAt(current, question);
    if (answer === undefined) throw failed;
    return answer;
  }
}

async function answerAt<T>(account: Account, question: Question<T>): Promise<T | Inactive> {
  const { did, method, signal } = question;
  try {
    return await question.ask(account);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const status = inactiveStatus(error);
    if (status !== undefined) return { status };
    throw queryFailure(error, method, { did, pds: account.pds });
  }
}
