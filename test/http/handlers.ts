import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerResponse } from 'node:http';
import {
  ConflictException,
  Controller,
  Get,
  Res,
  Sse,
  StreamableFile,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { from, map, NEVER, of, startWith, toArray, type Observable } from 'rxjs';
import type { AuthenticationError } from 'nestjs-parity';
import { currentUnit } from '../../lib/changes/unit-of-work.js';
import type { EntityWrite } from '../../lib/sync/change.js';
import { CommittedBatch } from '../../lib/sync/committed-batch.js';
import { AwaitsSync } from '../../lib/http/awaits-sync.decorator.js';
import { ParityInterceptor } from '../../lib/http/parity.interceptor.js';

/** What happened, in order. */
export const steps: string[] = [];
/** How the sync of a unit ends, and when: if not set, after a while. */
export const sync: { failure?: AuthenticationError; until?: Promise<void> } = {};

/** In place of a committed save: joins the unit, if there is one. */
export function save(): void {
  const unit = currentUnit();
  steps.push(unit ? 'saved' : 'saved alone');
  unit?.add(feed, new CommittedBatch([{} as EntityWrite]));
}
const feed = {
  async dispatchUnit({ writes }: CommittedBatch) {
    await (sync.until ?? sleep(20));
    steps.push(`synced ${writes.length}`);
    return sync.failure;
  },
};

/** Wraps the answer, as many applications do; last in the chain before the response. */
class Envelope implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      toArray(),
      map((values) => ({ values })),
    );
  }
}

@Controller()
export class Handlers {
  @Get('promise')
  async promise() {
    save();
    await sleep(1);
    save();
    return { done: true };
  }

  @Get('nothing')
  async nothing(): Promise<void> {
    save();
  }

  @Get('observable')
  observable() {
    return from([1, 2]).pipe(
      map((value) => {
        save();
        return { value };
      }),
    );
  }

  @Get('values')
  @UseInterceptors(Envelope, ParityInterceptor)
  values() {
    save();
    return of(1, 2, 3);
  }

  @Get('conflict')
  async conflict(): Promise<void> {
    save();
    throw new ConflictException('twice');
  }

  @Get('file')
  file(): StreamableFile {
    save();
    return new StreamableFile(Buffer.from('content'));
  }

  @Get('manual')
  manual(@Res() response: { send(body: string): void }): void {
    save();
    response.send('by hand');
  }

  @Get('half')
  half(@Res() response: ServerResponse & { raw?: ServerResponse }): void {
    const raw = response.raw ?? response;
    save();
    raw.write('half, ');
    setTimeout(() => raw.end('and half'), 60);
  }

  @Sse('events')
  events() {
    save();
    return NEVER.pipe(startWith({ data: 'one' }, { data: 'two' }));
  }

  @Get('detached')
  @AwaitsSync(false)
  async detached() {
    save();
    return { done: true };
  }

  @Get('detached-conflict')
  @AwaitsSync(false)
  async detachedConflict(): Promise<void> {
    return this.conflict();
  }

  @Get('never')
  never() {
    save();
    return NEVER;
  }
}

@Controller('careless')
@AwaitsSync(false)
export class Careless {
  @Get('detached')
  detached() {
    save();
    return { done: true };
  }

  @Get('awaited')
  @AwaitsSync()
  awaited() {
    return this.detached();
  }
}
