import type { Settings } from '../settings/settings.js';
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
  /** Whether the record is as the row wants it. */
  readonly inStep: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export function showPost(post: Post, settings: Settings): PostShown {
  const uri = post.getAtpUri();
  return {
    id: post.id,
    content: post.content,
    status: post.status,
    author: { did: post.user.did, handle: post.user.handle },
    uri,
    cid: post.getAtpCid(),
    recordUrl: uri === null ? null : settings.recordUrl(uri),
    inStep: post.isInStep(),
    createdAt: post.createdAt,
    updatedAt: post.updatedAt,
  };
}
