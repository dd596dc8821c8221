import { Agent } from '@atproto/api';
import { NestFactory } from '@nestjs/core';
import { SessionProvider } from 'nestjs-parity';
import { DataSource } from 'typeorm';
import { ConsumerModule } from './consumer.module.js';
import { Post } from './post.entity.js';
import { User } from './user.entity.js';

/** Saves a post, and gives the uri of its record, and whether the module and this file share one @atproto/api. */
export async function publishOne(): Promise<{ uri: string | null; sharesApi: boolean }> {
  const app = await NestFactory.createApplicationContext(ConsumerModule, { logger: false });
  try {
    const dataSource = app.get(DataSource);
    const user = await dataSource.getRepository(User).save({ did: process.env['PDS_DID'] ?? '' });
    const posts = dataSource.getRepository(Post);
    const post = await posts.save(posts.create({ content: 'From a consumer', user }));
    const agent = await app.get<SessionProvider>(SessionProvider).agentFor(user.did);
    return { uri: post.getAtpUri(), sharesApi: agent instanceof Agent };
  } finally {
    await app.close();
  }
}
