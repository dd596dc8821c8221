import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { User } from './user.entity.js';

@Injectable()
export class UsersService {
  constructor(@InjectRepository(User) private readonly users: Repository<User>) {}

  find(did: string): Promise<User | null> {
    return this.users.findOneBy({ did });
  }

  async signedIn(did: string, handle: string): Promise<User> {
    await this.users.upsert({ did, handle }, ['did']);
    return this.users.findOneByOrFail({ did });
  }
}
