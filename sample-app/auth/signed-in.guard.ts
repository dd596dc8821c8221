import { Injectable, UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { AppRequest } from '../web/app-request.js';

@Injectable()
export class SignedInGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.switchToHttp().getRequest<AppRequest>().viewer) return true;
    throw new UnauthorizedException('Sign in first.');
  }
}
