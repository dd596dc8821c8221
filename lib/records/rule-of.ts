/** Length of a rule in a log line; the rules of known checkers are shorter. */
const LONGEST = 200;
/**
 * Length of the text in which the rule is looked for. A PDS may answer anything, and these searches take time
 * that grows with its square.
 */
const LOOKED_AT = 1_000;
/** Shorter values are found in other words as well. */
const TELLING = 6;

/** Text in quotes or brackets, with the word before it. */
const QUOTED = /(\w+ )?("(?:[^"\\]|\\.)*("|$)|'(?:[^'\\]|\\.)*'|`[^`]*(`|$)|[{[].*([}\]]|$))/gs;
/** The words before a name, or before a word that the lexicon allows. */
const NAMES = /^(key|property|field|properties|fields|expected|of|or|type|lexicon|scope) $/i;

/**
 * The rule that a checker of records reports, without what it quotes of the record, which belongs in no log.
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

/**
 * The texts in a record, except `$type` and the like. The longest comes first, because one may contain
 * another.
 */
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
