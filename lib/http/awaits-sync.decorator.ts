import { Reflector } from '@nestjs/core';

/**
 * Whether the response waits for the sync of what the handler committed (default: true), for a handler or a
 * whole controller; the handler's wins.
 *
 * With `@AwaitsSync(false)` the changes are still written together, but after the response has been sent. If
 * an account has to sign in again, only the event tells. `ParityInterceptor` reads this; without the
 * interceptor it has no effect.
 */
export const AwaitsSync = Reflector.createDecorator<boolean | undefined, boolean>({
  transform: (awaits) => awaits ?? true,
});
