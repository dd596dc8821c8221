/** In a log line; what a checker says of its own accord is shorter. */
const LONGEST = 200;
/** Of what a checker says, before its rule is looked for: a PDS may say anything, and these searches are no faster than its square. */
const LOOKED_AT = 1_000;
/** A value as short as that is found in other words as well. */
const TELLING = 6;

/** What is in quotes or brackets, with the word before it. */
const QUOTED = /(\w+ )?("(?:[^"\\]|\\.)*("|$)|'(?:[^'\\]|\\.)*'|`[^`]*(`|$)|[{[].*([}\]]|$))/gs;
/** What comes before a name, or a word that the lexicon allows. */
const NAMES = /^(key|property|field|properties|fields|expected|of|or|type|lexicon|scope) $/i;

/**
 * What a checker of records asks for, without what it quotes of the record: that belongs in no log.
 *
 * @param record whose values the message may hold without quotes
 */
export function ruleOf(message: string, record?: unknown): string {
  const [asked = ''] = message.slice(0, LOOKED_AT).split(/,?\s*\(?\bgot\b/);
  const closed = asked.lastIndexOf('(') > asked.lastIndexOf(')') ? `${asked})` : asked;
  const unquoted = closed.replace(QUOTED, (all, before: string = '', quoted: string) =>
    NAMES.test(before) && /^.[\w.$#:-]{1,64}.$/.test(quoted) ? all : `${before}…`,
  );
  let rule = unquoted;
  for (const value of valuesOf(record)) rule = rule.replaceAll(value, '…');
  return (rule.length > LONGEST ? `${rule.slice(0, LONGEST)}…` : rule).replace(/[.\s]+$/, '');
}

/** The texts in a record, `$type` and the like aside; the longest first, as they may hold one another. */
function valuesOf(record: unknown): string[] {
  const values: string[] = [];
  const collect = (value: unknown): void => {
    if (typeof value === 'string' && value.length >= TELLING) values.push(value);
    else if (typeof value === 'object' && value !== null)
      for (const [key, item] of Object.entries(value)) if (key !== '$type') collect(item);
  };
  collect(record);
  return values.toSorted((a, b) => b.length - a.length);
}
