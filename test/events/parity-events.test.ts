import { EventEmitter2 } from '@nestjs/event-emitter';
import { ParityEvents } from '../../lib/events/parity-events.js';
import { SessionAuthenticated } from '../../lib/events/session-authenticated.event.js';

const NAME = SessionAuthenticated.event;
const event = new SessionAuthenticated('did:web:alice.test');

describe.each([true, false])('events (wildcard: %p)', (wildcard) => {
  function setUp() {
    const emitter = new EventEmitter2({ wildcard });
    const failed: string[] = [];
    const heard: string[] = [];
    const events = new ParityEvents(emitter, (name, error) =>
      failed.push(`${name}: ${error instanceof Error ? error.message : String(error)}`),
    );
    const hear = (who: string) => () => void heard.push(who);
    return { emitter, events, failed, heard, hear };
  }

  it('reach every listener in order, before emit() returns', () => {
    const { emitter, events, heard, hear } = setUp();
    emitter.on(NAME, hear('second'));
    emitter.on(NAME, hear('third'));
    emitter.prependListener(NAME, hear('first'));
    emitter.on('parity.other', hear('nobody'));
    events.emit(event);
    expect(heard).toEqual(['first', 'second', 'third']);
  });

  it('reach a listener of all events with their name', () => {
    const { emitter, events } = setUp();
    const seen: unknown[] = [];
    emitter.onAny((name, value) => void seen.push(name, value));
    events.emit(event);
    expect(seen).toEqual([NAME, event]);
  });

  it('reach a listener that wants to hear once, once, and those after it every time', () => {
    const { emitter, events, heard, hear } = setUp();
    emitter.once(NAME, hear('once'));
    emitter.once(NAME, hear('once more'));
    emitter.on(NAME, hear('always'));
    events.emit(event);
    events.emit(event);
    expect(heard).toEqual(['once', 'once more', 'always', 'always']);
  });

  it('are not stopped by listeners that throw or reject, whose errors are told', async () => {
    const { emitter, events, failed, heard, hear } = setUp();
    emitter.on(NAME, () => Promise.reject(new Error('rejected')));
    emitter.on(NAME, () => {
      throw new Error('thrown');
    });
    emitter.onAny(() => {
      throw new Error('thrown by any');
    });
    emitter.on(NAME, hear('last'));
    events.emit(event);
    expect(heard).toEqual(['last']);
    await new Promise((resolve) => setImmediate(resolve));
    expect(failed.toSorted()).toEqual([`${NAME}: rejected`, `${NAME}: thrown`, `${NAME}: thrown by any`]);
  });

  it('may have no listener, and emit() does not throw', () =>
    expect(() => setUp().events.emit(event)).not.toThrow());
});

it('events reach listeners of a wildcard', () => {
  const emitter = new EventEmitter2({ wildcard: true });
  const seen: unknown[] = [];
  emitter.on('parity.**', (value: unknown) => void seen.push(value));
  new ParityEvents(emitter, () => undefined).emit(event);
  expect(seen).toEqual([event]);
});
