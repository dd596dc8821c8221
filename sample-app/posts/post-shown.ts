import type { Settings } from '../settings/settings.js';
import type { PendingShown } from './pending-shown.js';
import type { Post, PostStatus } from './post.entity.js';

/** A post as pages and JSON answers show it. */
export interface PostShown {
  readonly id: number;
  readonly content: string;
  readonly status: PostStatus;
  readonly author: { readonly did: string; readonly handle: string };
  readonly uri: string | null;
  readonly cid: string | null;
  /** The PDS's own answer to `com.atproto.repo.getRecord`. */
  readonly recordUrl: string | null;
  /** Whether its record is still to become what the row says. Only the author is told; false for others. */
  readonly waiting: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** @param pending of whoever looks */
export function showPost(post: Post, settings: Settings, pending: readonly PendingShown[]): PostShown {
  const uri = post.getAtpUri();
  return {
    id: post.id,
    content: post.content,
    status: post.status,
    author: { did: post.user.did, handle: post.user.handle },
    uri,
    cid: post.getAtpCid(),
    recordUrl: uri === null ? null : settings.recordUrl(uri),
    waiting: pending.some(({ postId }) => postId === post.id),
    createdAt: post.createdAt,
    updatedAt: post.updatedAt,
  };
}
