import vm from 'node:vm';
import { answeredAtOnce, mapAnswer, withinTime } from '../../lib/runtime/answers.js';

describe("an answer of the application's code", () => {
  it('is taken at once if it is a value', () => {
    expect(mapAnswer(withinTime(1, 100), (value) => value + 1)).toBe(2);
    expect(answeredAtOnce(withinTime(undefined, 100))).toEqual({ value: undefined });
  });

  it('is awaited if it is a promise of another realm', async () => {
    const foreign = vm.runInNewContext('Promise.resolve(5)') as Promise<number>;
    expect(foreign).not.toBeInstanceOf(Promise);
    expect(await mapAnswer(withinTime(foreign, 100), (value) => value + 1)).toBe(6);
    expect(answeredAtOnce(withinTime(foreign, 100))).toBeUndefined();
  });

  it('is awaited though a library has replaced the global Promise', async () => {
    const Native = Promise;
    globalThis.Promise = class extends Native<unknown> {} as PromiseConstructor;
    try {
      const answer = mapAnswer(withinTime((async () => true)(), 100), (value) => value === true);
      expect(await answer).toBe(true);
    } finally {
      globalThis.Promise = Native;
    }
  });
});
