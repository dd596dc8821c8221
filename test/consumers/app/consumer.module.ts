import { Module } from '@nestjs/common';
import { EventEmitterModule } from '@nestjs/event-emitter';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AppPasswordSessionProvider, ParityModule } from 'nestjs-parity';
import { Post } from './post.entity.js';
import { PostMapper } from './post.mapper.js';
import { User } from './user.entity.js';

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'sqljs', entities: [User, Post], synchronize: true }),
    EventEmitterModule.forRoot({ wildcard: true }),
    ParityModule.forRoot({
      sessions: new AppPasswordSessionProvider({
        service: process.env['PDS_URL'] ?? '',
        accounts: [{ identifier: process.env['PDS_DID'] ?? '', password: process.env['PDS_PASSWORD'] ?? '' }],
      }),
      mappers: [PostMapper],
    }),
  ],
})
export class ConsumerModule {}
