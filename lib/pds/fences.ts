import { setTimeout as sleep } from 'node:timers/promises';
import type { ParityError } from '../errors/parity.error.js';
import { PdsUnavailableError } from '../errors/pds-unavailable.error.js';
import { applyWrites, IncompleteAnswerError } from './apply-writes.js';
import type { Commit } from './commit.js';
import { classifyFailure } from './failure.js';
import type { Failure, FailureContext } from './failure-kinds.js';
import { FENCES_IN_A_ROW, type HostTraits } from './host-traits.js';
import { latestCommit } from './reads.js';
import type { RequestInFlight } from './repository-state.store.js';
import { isAnswerOfPds, isInvalidSwap, said } from './pds-answers.js';
import type { WriteRequest } from './write-request.js';
import { serverOf, type XrpcCallOptions } from './xrpc-call.js';

/**
 * What became of a request with an unknown outcome; `at` is the head by now.
 * - `held`: the request has not landed, and never will.
 * - `moved`: the request or a write of another application has landed; nothing else lands any more.
 * - `waited`: the PDS takes no fence, and the request has not landed within its time. It can only land before
 *   the next write, because both demand the same head.
 */
export interface Fenced {
  readonly outcome: 'held' | 'moved' | 'waited';
  readonly at: Commit;
}

/** Why a fence is not the commit that follows the head. */
interface Unfenced {
  /** The PDS says that another commit follows it. */
  readonly isOvertaken?: boolean;
  /** A refusal of fences as such, if no other commit follows. */
  readonly refusal?: string;
  /** The same, of an answer that may have other reasons. */
  readonly failure?: string;
  /** Thrown if no other commit follows: the next attempt may tell more. */
  readonly error?: ParityError;
}

export interface FenceSettings {
  readonly timeoutMs: number;
  readonly traits: HostTraits;
  readonly context: FailureContext;
}

/** Empty commits of one repository. After one, no request lands that demanded an earlier head. */
export class Fences {
  private readonly host: string;
  private readonly call: XrpcCallOptions;

  constructor(
    private readonly request: WriteRequest,
    private readonly settings: FenceSettings,
  ) {
    this.host = serverOf(request.agent) ?? request.did;
    this.call = { timeoutMs: settings.timeoutMs, signal: request.signal };
  }

  /**
   * Makes sure, as far as the PDS allows, that no request that demanded this head can land any more.
   *
   * @param lost why the request has no answer, if it was sent just now
   * @throws a ParityError where nothing can be made sure of now
   */
  async raise({ head, until }: Pick<RequestInFlight, 'head' | 'until'>, lost?: Failure): Promise<Fenced> {
    const { did, agent } = this.request;
    const tried = await this.try(head, lost);
    if ('cid' in tried) return { outcome: 'held', at: tried };
    const { isOvertaken = false, refusal, failure, error } = tried;
    let at = await latestCommit(agent, did, this.call);
    if (at.cid === head && !isOvertaken) {
      if (error) throw error;
      if (refusal) this.settings.traits.fenceRefused(this.host, refusal);
      if (failure) this.settings.traits.fenceFailed(this.host, failure);
      if (await this.waitUntil(until)) at = await latestCommit(agent, did, this.call);
    }
    return { outcome: at.cid === head && !isOvertaken ? 'waited' : 'moved', at };
  }

  private async try(head: string, lost?: Failure): Promise<Commit | Unfenced> {
    const { did, agent } = this.request;
    const { traits, timeoutMs } = this.settings;
    if (traits.refusesFences(this.host)) return {};
    await permitted(this.request, timeoutMs);
    try {
      const { commit } = await applyWrites(agent, { did, writes: [], head }, this.call);
      traits.fenceTaken(this.host);
      return commit;
    } catch (error) {
      if (!isInvalidSwap(error)) return this.unfenced(error, lost);
      traits.fenceTaken(this.host);
      return { isOvertaken: true };
    }
  }

  private unfenced(error: unknown, lost?: Failure): Unfenced {
    const { traits, context } = this.settings;
    const { kind, outcome, sessionLost, error: told } = classifyFailure(error, context);
    if (error instanceof IncompleteAnswerError) return { refusal: told.message };
    if (isAnswerOfPds(error) && !sessionLost && (kind !== 'transient' || outcome === 'unknown')) {
      // The account, or this moment, is the reason; the host may take the next fence.
      if (kind === 'auth') return {};
      if (Number(error.status) !== 500) return { refusal: said(error) };
      return { failure: said(error) };
    }
    if (outcome !== 'unknown' || this.request.signal?.aborted) throw told;
    // The host may be down. The next attempt tells, and by then the time of the request is over.
    if (lost) throw lost.error;
    if (traits.fenceFailed(this.host, 'no answer') >= FENCES_IN_A_ROW) return {};
    return { error: new PdsUnavailableError(told.message, { did: this.request.did, cause: told }) };
  }

  /** @returns whether the time of the request was still to be waited for */
  private async waitUntil(until: number): Promise<boolean> {
    const { timeoutMs } = this.settings;
    // The process that sent the request may have another clock.
    const milliseconds = Math.min(until - Date.now(), timeoutMs);
    if (milliseconds <= 0) return false;
    await permitted(this.request, timeoutMs, milliseconds);
    await pause(milliseconds, this.request.signal);
    return true;
  }
}

/** Asks for the right to send a request that may be sent twice, where a token was stale. */
export async function permitted(request: WriteRequest, timeoutMs: number, wait = 0): Promise<void> {
  await request.permit?.(2 * timeoutMs + wait);
}

/** Ends early when the signal aborts; the next call of the PDS then throws. */
async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
}

/**
 * Up to 50, 100, 200 ... ms, at random, so that two clients that lose against each other don't meet again.
 */
export const pauseAtRandom = (round: number, signal: AbortSignal | undefined): Promise<void> =>
  pause(Math.random() * 25 * 2 ** round, signal);
