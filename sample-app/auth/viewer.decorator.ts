import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { User } from '../users/user.entity.js';
import type { AppRequest } from '../web/app-request.js';

/** Who is signed in; never null behind SignedInGuard. */
export const Viewer = createParamDecorator(
  (_: unknown, context: ExecutionContext): User | null =>
    context.switchToHttp().getRequest<AppRequest>().viewer ?? null,
);
