import { hash, timingSafeEqual } from 'node:crypto';
import { ParityOptionsError } from '../../../errors/parity-options.error.js';
import { reasonOf } from '../../../errors/reason-of.js';
import { wrong } from '../../../model/option-checks.js';
import { FeedError } from '../feed/feed-error.js';
import type { SourceAddress } from '../source-address.js';

const ACCOUNTS_PER_REQUEST = 1_000;
const LONGEST_REQUEST = 30_000;

/** Who may use Tap: `admin` with the password of its `TAP_ADMIN_PASSWORD`. */
export class TapAdmin {
  readonly authorization: string;

  /** @throws ParityOptionsError for an empty password, which would let everybody send events */
  constructor(whose: string, password: unknown) {
    if (typeof password !== 'string' || password === '')
      throw wrong(
        `${whose}({ adminPassword })`,
        password === '' ? '' : typeof password,
        'the password that Tap has in TAP_ADMIN_PASSWORD',
      );
    this.authorization = `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;
  }

  /** Takes the same time for every wrong header. */
  accepts(authorization: string | undefined): boolean {
    return timingSafeEqual(digest(authorization ?? ''), digest(this.authorization));
  }

  refusedBy(host: string): ParityOptionsError {
    return new ParityOptionsError(
      `Tap at ${host} refuses the admin password (401). ` +
        'Give adminPassword what Tap has in TAP_ADMIN_PASSWORD.',
    );
  }

  /**
   * Makes Tap follow the accounts; those that it follows already stay as they are.
   *
   * @throws FeedError where trying again may help
   * @throws ParityOptionsError for a refused password
   */
  async addAccounts(address: SourceAddress, accounts: readonly string[], signal: AbortSignal): Promise<void> {
    for (let from = 0; from < accounts.length; from += ACCOUNTS_PER_REQUEST) {
      const dids = accounts.slice(from, from + ACCOUNTS_PER_REQUEST);
      const status = await this.post(address, { dids }, signal);
      if (status === 401) throw this.refusedBy(address.host);
      if (status >= 400) throw new FeedError(`${address.host}: /repos/add answers ${status}`, { status });
    }
  }

  private async post(address: SourceAddress, body: object, signal: AbortSignal): Promise<number> {
    try {
      const response = await fetch(address.http('/repos/add'), {
        method: 'POST',
        headers: { authorization: this.authorization, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(LONGEST_REQUEST)]),
      });
      await response.body?.cancel();
      return response.status;
    } catch (error) {
      throw new FeedError(`${address.host}: /repos/add failed: ${reasonOf(error)}`);
    }
  }
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');
