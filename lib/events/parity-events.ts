import type { EventEmitter2 } from '@nestjs/event-emitter';

type ListenerFn = (...values: unknown[]) => unknown;
type EventClass = { readonly event: string };

/**
 * Emits events. A listener that throws or rejects is logged and changes nothing. Each listener is called by
 * itself: with `emit` and `emitAsync`, one that throws would keep the others from being called, and
 * rejections of those before it would be unhandled.
 */
export class ParityEvents {
  constructor(
    private readonly emitter: Pick<EventEmitter2, 'listeners' | 'listenersAny'>,
    private readonly onListenerError: (event: string, error: unknown) => void,
  ) {}

  emit(event: object): void {
    const name = (event.constructor as unknown as EventClass).event;
    // A copy, because a `once` listener removes itself from the emitter's own list.
    for (const listener of this.emitter.listenersAny().slice()) void this.tell(name, listener, name, event);
    for (const listener of this.emitter.listeners(name).slice()) void this.tell(name, listener, event);
  }

  private async tell(name: string, listener: ListenerFn, ...values: unknown[]): Promise<void> {
    try {
      await listener.apply(this.emitter, values);
    } catch (error) {
      this.onListenerError(name, error);
    }
  }
}
