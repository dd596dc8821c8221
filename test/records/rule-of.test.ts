import { ruleOf } from '../../lib/records/rule-of.js';

it('keeps what a checker asks for, and nothing that it quotes of the record', () => {
  expect(ruleOf('Expected string, got "a secret" at $.text')).toBe('Expected string');
  expect(ruleOf('a secret is too long', { text: 'a secret' })).toBe('… is too long');
});

it.each(['a', ' ', '"', '{', ', (got'])('looks at the beginning of a long answer only (%j)', (part) => {
  expect(ruleOf(part.repeat(1_000_000)).length).toBeLessThanOrEqual(201);
});
