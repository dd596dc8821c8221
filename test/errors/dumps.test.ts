import { inspect } from 'node:util';
import * as parity from 'nestjs-parity';
import { ParityError, type ParityErrorContext } from 'nestjs-parity';

type AnyError = new (...args: unknown[]) => ParityError;

const context: ParityErrorContext = { did: undefined, uri: undefined, entityName: 'Post', cause: undefined };

const REASONED: readonly unknown[] = [
  parity.IdentityError,
  parity.RecordUnreadableError,
  parity.RepositoryUnreadableError,
];

/** Every error of the package, as it is thrown where little is known. */
const errors: ParityError[] = Object.values(parity as Record<string, unknown>)
  .filter((value): value is AnyError => typeof value === 'function' && value.prototype instanceof ParityError)
  .map((Class) => {
    if (Class === (parity.RateLimitedError as unknown))
      return new Class('limited', new Date(0), 'host', context);
    if (Class === (parity.MissingScopeError as unknown)) return new Class('repo:*', undefined, context);
    if (Class === (parity.SignInError as unknown)) return new Class('other', 'refused', context);
    if (Class === (parity.LeaseLostError as unknown)) return new Class('did:web:alice.test');
    if (Class === (parity.WebhookRefusedError as unknown))
      return new Class('refused', { status: 503, ...context });
    if (REASONED.includes(Class)) return new Class('failed', 'unknown', context);
    return new Class('failed', context);
  });

describe('the dump of an error', () => {
  it.each(errors.map((error) => [error.name, error] as const))(
    'of the class %s shows no undefined field',
    (name, error) => {
      expect(inspect(error)).toContain(name);
      expect(inspect(error)).not.toContain('undefined');
      expect(inspect(error.about({ uri: undefined }))).not.toContain('undefined');
      expect(Object.values(error)).not.toContain(undefined);
    },
  );

  it('shows what is known, also when it is known later only', () => {
    const error = new parity.MapperError('failed', { entityName: 'Post' }).about({
      entityName: 'Other',
      entityId: '1',
      did: 'did:web:alice.test',
    });
    expect(error).toMatchObject({ entityName: 'Post', entityId: '1', did: 'did:web:alice.test' });
    expect(error.uri).toBeUndefined();
    for (const shown of ["code: 'MAPPER_FAILED'", "entityName: 'Post'", "did: 'did:web:alice.test'"])
      expect(inspect(error)).toContain(shown);
  });

  it('shows where in a record it is, and when it may be tried again, where that is known', () => {
    const invalid = new parity.InvalidRecordError('failed', {}, '$.text');
    expect([invalid.path, inspect(invalid)]).toEqual(['$.text', expect.stringContaining("path: '$.text'")]);
    const retryAt = new Date(0);
    expect(new parity.RetryLaterError('later', { retryAt }).retryAt).toBe(retryAt);
  });
});
