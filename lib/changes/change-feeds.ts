import type { DataSource } from 'typeorm';
import type { ChangeFeed } from './change-feed.js';

/** The change feed of each DataSource that the module follows. */
export class ChangeFeeds extends Map<DataSource, ChangeFeed> {}
