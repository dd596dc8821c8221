/**
 * For the process of a local network (`node --import`): the windows of its rate limits are PARITY_LIMIT_SPEED times shorter; the points in
 * them, and what the PDS says of them, stay.
 */
import { createRequire } from 'node:module';

const { RateLimiterMemory } = createRequire(import.meta.url)('rate-limiter-flexible');

Object.defineProperty(Object.getPrototypeOf(RateLimiterMemory.prototype), 'duration', {
  get() {
    // oxlint-disable-next-line no-underscore-dangle -- the library's own
    return this._duration / Number(process.env.PARITY_LIMIT_SPEED ?? 1);
  },
  set(seconds) {
    // oxlint-disable-next-line no-underscore-dangle -- the library's own
    this._duration = seconds;
  },
});
