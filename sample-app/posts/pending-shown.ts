import type { PendingSync, SyncOperation } from 'nestjs-parity';
import type { Post } from './post.entity.js';

/** A pending sync as pages and JSON answers show it. */
export interface PendingShown {
  /** What was due when it was captured; what is done is decided from the post when it is tried. */
  readonly operation: SyncOperation;
  readonly postId: number;
  /** null once the post is deleted: its record waits to go. */
  readonly content: string | null;
  readonly uri: string;
  /** Tries in which the record itself failed; a session that ended spends none. */
  readonly attempts: number;
  /** null where it was not tried: it waits behind others. */
  readonly lastError: string | null;
  /** ISO 8601. */
  readonly since: string;
}

export function showPending(sync: PendingSync, post: Post | undefined): PendingShown {
  const { operation, entityId, uri, attempts, lastError, createdAt: since } = sync;
  const content = post?.content ?? null;
  return { operation, postId: Number(entityId), content, uri, attempts, lastError, since };
}
