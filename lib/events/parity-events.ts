import type { EventEmitter2 } from '@nestjs/event-emitter';

type EventClass = { readonly event: string };

/**
 * Tells what happened, and no more: a listener that throws or rejects is logged and changes nothing
 * (listeners added with `eventEmitter.on` would otherwise throw into the sync that emits).
 */
export class ParityEvents {
  constructor(
    private readonly emitter: Pick<EventEmitter2, 'emitAsync'>,
    private readonly onListenerError: (event: string, error: unknown) => void,
  ) {}

  emit(event: object): void {
    const name = (event.constructor as unknown as EventClass).event;
    try {
      this.emitter.emitAsync(name, event).catch((error: unknown) => this.onListenerError(name, error));
    } catch (error) {
      this.onListenerError(name, error);
    }
  }
}
