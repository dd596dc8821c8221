import type { DataSource } from 'typeorm';
import type { ChangeFeed } from './change-feed.js';

/** The change feeds of the DataSources that are followed. */
export class ChangeFeeds extends Map<DataSource, ChangeFeed> {}
