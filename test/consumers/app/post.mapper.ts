import type { AppBskyFeedPost } from '@atproto/api';
import { AtpMapper, RecordMapper } from 'nestjs-parity';
import { Post } from './post.entity.js';

@AtpMapper()
export class PostMapper extends RecordMapper<Post, AppBskyFeedPost.Record> {
  readonly entity = Post;
  readonly collection = 'app.bsky.feed.post';
  override readonly relations = { user: true };

  toRecord(post: Post) {
    return { text: post.content, createdAt: post.createdAt.toISOString() };
  }
}
