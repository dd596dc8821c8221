import { Controller, Get, HttpCode, Post as HttpPost, Redirect, UseGuards } from '@nestjs/common';
import { SignedInGuard } from '../auth/signed-in.guard.js';
import { Viewer } from '../auth/viewer.decorator.js';
import { User } from '../users/user.entity.js';
import { pendingPage } from '../views/pending.view.js';
import { Answer } from '../web/answer.js';
import { PendingPostsService } from './pending-posts.service.js';

@Controller('pending')
@UseGuards(SignedInGuard)
export class PendingPostsController {
  constructor(private readonly pending: PendingPostsService) {}

  @Get()
  async list(@Viewer() viewer: User): Promise<Answer> {
    const pending = await this.pending.of(viewer);
    return Answer.page({ pending }, () => pendingPage({ pending, viewer }));
  }

  @HttpPost('retry')
  @HttpCode(200)
  async retry(@Viewer() viewer: User): Promise<Answer> {
    const result = await this.pending.retry(viewer);
    const pending = await this.pending.of(viewer);
    return Answer.page({ ...result, pending }, () => pendingPage({ pending, viewer, result }));
  }

  /** Who had to sign in for a retry comes back to the page that asked for it, which may be the answer to another retry. */
  @Get('retry')
  @Redirect('/pending')
  retried(): void {}
}
