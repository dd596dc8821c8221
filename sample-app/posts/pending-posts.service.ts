import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ParityService, PendingSyncManager, type PendingSyncRetryResult } from 'nestjs-parity';
import { In, Repository } from 'typeorm';
import { User } from '../users/user.entity.js';
import { showPending, type PendingShown } from './pending-shown.js';
import { Post } from './post.entity.js';

/** What the PDS does not have yet: its account's session ended, or the PDS did not answer, or refused. */
@Injectable()
export class PendingPostsService {
  constructor(
    @InjectRepository(Post) private readonly posts: Repository<Post>,
    private readonly pending: PendingSyncManager,
    private readonly parity: ParityService,
  ) {}

  /** Oldest first. */
  async of({ did }: User): Promise<PendingShown[]> {
    const syncs = await this.pending.forDid(did);
    if (syncs.length === 0) return [];
    const found = await this.posts.findBy({ id: In(syncs.map(({ entityId }) => Number(entityId))) });
    const posts = new Map(found.map((post) => [String(post.id), post]));
    return syncs.map((sync) => showPending(sync, posts.get(sync.entityId)));
  }

  /** @throws AuthenticationError if the account still has to sign in; everything waits on */
  retry({ did }: User): Promise<PendingSyncRetryResult> {
    return this.parity.retryPendingSyncs(did);
  }
}
