import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { AppRequest } from '../web/app-request.js';
import { AuthService } from './auth.service.js';

/** Tells the handlers who is there; lets everybody pass. */
@Injectable()
export class SessionGuard implements CanActivate {
  constructor(private readonly auth: AuthService) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AppRequest>();
    request.viewer = await this.auth.viewer(request);
    return true;
  }
}
