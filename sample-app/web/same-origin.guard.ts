import { ForbiddenException, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Settings } from '../settings/settings.js';
import type { AppRequest } from './app-request.js';

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses changes that another site's page asks for. Browsers tell where a POST comes from; programs such as curl
 * do not, and nobody can trick them into using somebody's cookie. The cookie is SameSite=Lax besides.
 */
@Injectable()
export class SameOriginGuard implements CanActivate {
  constructor(private readonly settings: Settings) {}

  canActivate(context: ExecutionContext): boolean {
    const { method = '', headers } = context.switchToHttp().getRequest<AppRequest>();
    if (READING.has(method)) return true;
    const { origin } = headers;
    const site = headers['sec-fetch-site'] ?? 'same-origin';
    if ((origin ?? this.settings.origin) === this.settings.origin && site === 'same-origin') return true;
    throw new ForbiddenException('This request came from a page of another site.');
  }
}
