import type { AppBskyFeedPost } from '@atproto/api';
import { AtpMapper, RecordMapper, type RecordInput } from 'nestjs-parity';
import { Post } from './post.entity.js';

@AtpMapper()
export class PostMapper extends RecordMapper<Post, AppBskyFeedPost.Record> {
  readonly entity = Post;
  readonly collection = 'app.bsky.feed.post';
  override readonly relations = { user: true };

  toRecord(post: Post): RecordInput<AppBskyFeedPost.Record> {
    return { text: post.content, createdAt: post.createdAt.toISOString() };
  }
}
