import type { FeedTiming } from '../../../lib/inbound/sources/feed/feed-timing.js';

/** Connects again at once, and notices a silent service within a second. */
export const soonAgain: FeedTiming = { ping: 2_000, quiet: 100, pause: () => 50 };
