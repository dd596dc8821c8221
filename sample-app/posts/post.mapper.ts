import type { AppBskyFeedPost } from '@atproto/api';
import { AtpMapper, RecordMapper, type InboundContext, type RecordInput } from 'nestjs-parity';
import type { DeepPartial } from 'typeorm';
import { User } from '../users/user.entity.js';
import { Post } from './post.entity.js';

@AtpMapper()
export class PostMapper extends RecordMapper<Post, AppBskyFeedPost.Record> {
  readonly entity = Post;
  readonly collection = 'app.bsky.feed.post';
  override readonly relations = { user: true };
  /** Facets point into the text, so a text that was changed here has none. Pictures of other apps are kept. */
  override readonly owns = ['text', 'createdAt', 'facets'];

  toRecord(post: Post): RecordInput<AppBskyFeedPost.Record> {
    return { text: post.content, createdAt: post.createdAt.toISOString() };
  }

  /** Having it makes posts follow their records: what is written in other apps reaches the blog. */
  override async fromRecord(
    record: AppBskyFeedPost.Record,
    { did, existing, manager }: InboundContext<Post>,
  ): Promise<DeepPartial<Post> | null> {
    if (record.reply) return null; // a blog has no replies
    // An import may come before the sign-in has ended, which then gives the handle.
    const user =
      existing?.user ??
      (await manager.findOneBy(User, { did })) ??
      (await manager.save(User, { did, handle: did }));
    return { content: record.text, status: 'published', createdAt: new Date(record.createdAt), user };
  }
}
