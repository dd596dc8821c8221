import {
  CircuitState,
  circuitBreaker,
  ConsecutiveBreaker,
  DelegateBackoff,
  handleAll,
  isBrokenCircuitError,
} from 'cockatiel';
import { PdsUnavailableError } from '../errors/pds-unavailable.error.js';
import { RateLimitedError } from '../errors/rate-limited.error.js';
import { Recent } from '../runtime/recent.js';
import { backoff } from '../runtime/backoff.js';
import { HostPausedError } from './host-paused.error.js';

/** Failures in a row, without a success of any account in between, that show that the host is the cause. */
const PATIENCE = 5;
/** In ms. A probe in such an interval costs little, and all accounts of the host wait for it. */
const LONGEST_PAUSE = 60_000;
/** DIDs whose host is remembered. */
const MAX_DIDS = 10_000;

/**
 * The PDS hosts as this process finds them. A host that is down, or limits this process, gets no requests for
 * a while; other hosts do.
 */
export class HostGates {
  private readonly gates = new Map<string, HostGate>();
  private readonly hosts = new Recent<string, string>(MAX_DIDS);

  /**
   * Makes some requests of an account to its host.
   *
   * @throws HostPausedError if the host is to be left alone now
   */
  async runRequests<T>(did: string, host: string, requests: () => Promise<T>): Promise<T> {
    this.hosts.set(did, host);
    let gate = this.gates.get(host);
    if (!gate) this.gates.set(host, (gate = new HostGate()));
    try {
      return await gate.runRequests(requests);
    } catch (error) {
      if (error === CLOSED) throw new HostPausedError(did, host, new Date(gate.opensAt));
      throw error;
    } finally {
      if (gate.isIdle) this.gates.delete(host);
    }
  }

  /** When the host of an account is tried again; null where nothing speaks against trying it now. */
  pausedUntil(did: string): Date | null {
    const host = this.hosts.get(did);
    const gate = host === undefined ? undefined : this.gates.get(host);
    return gate && gate.opensAt > Date.now() ? new Date(gate.opensAt) : null;
  }
}

const CLOSED = Symbol('closed');

class HostGate {
  /** Milliseconds since 1970, before which nothing is sent. */
  opensAt = 0;
  private running = 0;
  private readonly failures = new ConsecutiveBreaker(PATIENCE);
  private readonly breaker = circuitBreaker(handleAll, {
    breaker: this.failures,
    halfOpenAfter: new DelegateBackoff(({ attempt }) => {
      const pause = backoff(attempt, LONGEST_PAUSE);
      this.opensAt = Date.now() + pause;
      return pause;
    }),
  });

  get isIdle(): boolean {
    const healthy = this.breaker.state === CircuitState.Closed && this.failures.state === 0;
    return healthy && this.running === 0 && this.opensAt <= Date.now();
  }

  /** @throws CLOSED */
  async runRequests<T>(requests: () => Promise<T>): Promise<T> {
    if (this.opensAt > Date.now()) throw CLOSED;
    this.running += 1;
    try {
      // Every other failure is an answer, and shows that the host is up.
      const outcome = await this.breaker.execute(() =>
        requests().then(
          (value) => ({ value }),
          (error: unknown) => {
            if (isOutage(error)) throw error;
            return { error };
          },
        ),
      );
      if ('value' in outcome) return outcome.value;
      if (isHostLimit(outcome.error)) this.opensAt = Math.max(this.opensAt, outcome.error.retryAt.getTime());
      throw outcome.error;
    } catch (error) {
      throw isBrokenCircuitError(error) ? CLOSED : error;
    } finally {
      this.running -= 1;
    }
  }
}

const isOutage = (error: unknown): boolean => error instanceof PdsUnavailableError && error.outage;

const isHostLimit = (error: unknown): error is RateLimitedError =>
  error instanceof RateLimitedError && error.limitOf === 'host';
