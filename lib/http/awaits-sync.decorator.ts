import { Reflector } from '@nestjs/core';

/**
 * Whether the response waits for the sync of what the handler committed (default: true), for a handler or a whole
 * controller; the handler's wins. With `@AwaitsSync(false)` the changes are still written together, but after the
 * response has been sent, and an account that has to sign in again is told by event only.
 * Read by `ParityInterceptor`; without it, it says nothing.
 */
export const AwaitsSync = Reflector.createDecorator<boolean | undefined, boolean>({
  transform: (awaits) => awaits ?? true,
});
