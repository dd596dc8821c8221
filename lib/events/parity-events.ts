import type { EventEmitter2 } from '@nestjs/event-emitter';

type ListenerFn = (...values: unknown[]) => unknown;
type EventClass = { readonly event: string };

/**
 * Tells what happened, and no more: a listener that throws or rejects is logged and changes nothing. Each is called by itself:
 * `emit` and `emitAsync` would let one that throws keep the others from hearing, and leave the rejections of those before it to nobody.
 */
export class ParityEvents {
  constructor(
    private readonly emitter: Pick<EventEmitter2, 'listeners' | 'listenersAny'>,
    private readonly onListenerError: (event: string, error: unknown) => void,
  ) {}

  emit(event: object): void {
    const name = (event.constructor as unknown as EventClass).event;
    // Copies: a listener that wants to hear once takes itself off the emitter's own list.
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
