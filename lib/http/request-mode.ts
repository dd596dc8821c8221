import type { NestInterceptor } from '@nestjs/common';
import type { ParityInterceptor } from './parity.interceptor.js';

/** What `APP_INTERCEPTOR` is given: it takes no "nothing", so other modes than 'request' have one that does nothing. */
export function globalInterceptor(mode: string, interceptor: ParityInterceptor): NestInterceptor {
  return mode === 'request' ? interceptor : { intercept: (_context, next) => next.handle() };
}
