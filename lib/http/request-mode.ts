import type { NestInterceptor } from '@nestjs/common';
import type { ParityInterceptor } from './parity.interceptor.js';

/**
 * The provider of `APP_INTERCEPTOR`, which takes no "nothing": modes other than 'request' get an interceptor
 * that does nothing.
 */
export function globalInterceptor(mode: string, interceptor: ParityInterceptor): NestInterceptor {
  return mode === 'request' ? interceptor : { intercept: (_context, next) => next.handle() };
}
