import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { HttpAdapterHost, Reflector } from '@nestjs/core';
import { Observable, Subscription } from 'rxjs';
import { unitOfWork } from '../changes/unit-of-work.js';
import { within } from '../runtime/within.js';
import { SHUTDOWN_LIMIT } from '../sync/shutdown-limit.js';
import { AwaitsSync } from './awaits-sync.decorator.js';

/** The metadata that `@Sse()` sets on its handler. Nest 11 and 12 export its name from different places. */
const SSE = '__sse__';

/**
 * One unit of work per HTTP request: what the handler commits is written together, one write per account,
 * after the handler and before the response.
 *
 * - If an account has to sign in again, the error is thrown, for `ParityExceptionFilter`.
 * - An error of the handler stays as it is, and what was committed before it is synced.
 * - `sync.mode: 'request'` binds it to all handlers; in other modes bind it with
 *   `@UseInterceptors(ParityInterceptor)`.
 * - Values pass through as they come. Only the end waits, which Nest awaits before it answers.
 * - `@AwaitsSync(false)` marks handlers whose response is not to wait.
 * - `@Sse()` handlers, whose end may never come, and everything that is no HTTP request have no unit: each
 *   save is synced by itself.
 * - A stream that the handler returned is sent after the unit.
 * - A handler that answers by itself (`@Res()`) does not wait for the sync.
 */
@Injectable()
export class ParityInterceptor implements NestInterceptor, BeforeApplicationShutdown {
  private readonly logger = new Logger(ParityInterceptor.name);
  private readonly running = new Set<Promise<void>>();

  constructor(
    private readonly reflector: Reflector,
    private readonly host: HttpAdapterHost,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const handler = context.getHandler();
    if (context.getType() !== 'http' || Reflect.hasMetadata(SSE, handler)) return next.handle();
    const awaits = this.reflector.getAllAndOverride(AwaitsSync, [handler, context.getClass()]) ?? true;
    const response = context.switchToHttp().getResponse<unknown>();
    return new Observable((subscriber) => {
      const subscription = new Subscription();
      let isHandled = false;
      const unit = unitOfWork(() => {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        // The client has gone, or a timeout has fired. What was committed until now is synced all the same.
        subscription.add(resolve);
        subscription.add(
          // Nest binds the handler to the async context of this call, so the unit has to exist first.
          next.handle().subscribe({
            next: (value) => subscriber.next(value),
            error: (error) => {
              reject(error);
              if (!awaits) subscriber.error(error);
            },
            complete: () => {
              isHandled = true;
              resolve();
              if (!awaits) subscriber.complete();
            },
          }),
        );
        return promise;
      }).then(
        () => subscriber.complete(),
        (error: unknown) => {
          // An error that is thrown now would cut off what the handler is still sending.
          const isAnswered = !awaits || this.host.httpAdapter.isHeadersSent(response);
          if (!isHandled || !isAnswered) return subscriber.error(error);
          this.logger.warn(`${(error as Error).message} (Not the answer: the request was answered before.)`);
          subscriber.complete();
        },
      );
      this.running.add(unit);
      void unit.finally(() => this.running.delete(unit));
      return subscription;
    });
  }

  /** Syncs that no response waits for end before the DataSources close. */
  async beforeApplicationShutdown(): Promise<void> {
    await within(SHUTDOWN_LIMIT, Promise.all(this.running));
  }
}
