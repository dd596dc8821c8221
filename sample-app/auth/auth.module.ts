import { Module } from '@nestjs/common';
import { OAuthMetadataController } from 'nestjs-parity';
import { UsersModule } from '../users/users.module.js';
import { AuthController } from './auth.controller.js';
import { AuthService } from './auth.service.js';

@Module({
  imports: [UsersModule],
  // A PDS asks for the metadata of applications on the internet; one on this machine has it in its client id.
  controllers: [AuthController, OAuthMetadataController],
  providers: [AuthService],
  exports: [AuthService],
})
export class AuthModule {}
