import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { PendingPostsController } from './pending-posts.controller.js';
import { PendingPostsService } from './pending-posts.service.js';
import { PostMapper } from './post.mapper.js';
import { Post } from './post.entity.js';
import { PostsController } from './posts.controller.js';
import { PostsService } from './posts.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([Post])],
  controllers: [PostsController, PendingPostsController],
  providers: [PostsService, PendingPostsService, PostMapper],
  exports: [PostsService],
})
export class PostsModule {}
