import { ParityOptionsError } from '../errors/parity-options.error.js';
import { nearestName } from './nearest-name.js';

/**
 * The names of all options of `T`. The compiler demands each new option here, so that none is refused by
 * mistake.
 */
export type OptionNames<T> = Readonly<Record<keyof T, true>>;

/**
 * Refuses misspelled options, which would be ignored silently.
 *
 * @param whose the options are, for the message
 * @param mayBeSecret whether a value that is no object is not quoted, because it may be a key or a password
 * @throws ParityOptionsError for a value that is no object, or has a name that no option has
 */
export function checkNames<T>(
  whose: string,
  value: unknown,
  names: OptionNames<T>,
  mayBeSecret = false,
): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const accepted = `an object with options (${listed(names)})`;
    throw mayBeSecret ? new ParityOptionsError(`${whose} takes ${accepted}.`) : wrong(whose, value, accepted);
  }
  for (const given of Object.keys(value)) {
    if (Object.hasOwn(names, given)) continue;
    const nearest = nearestName(given, Object.keys(names));
    throw new ParityOptionsError(
      `'${given}' is no option of ${whose}${nearest ? `; did you mean '${nearest}'?` : '.'} ` +
        `${whose} takes ${listed(names)}.`,
    );
  }
}

const listed = (names: object): string => Object.keys(names).join(', ');

export const boolean = (name: string, value: unknown): boolean => {
  if (value === true || value === 1) return true;
  if (value === false || value === 0) return false;
  throw wrong(name, value, 'true or false');
};

export const positive = (name: string, value: unknown): number => {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  throw wrong(name, value, 'a whole number above 0');
};

export const positiveOrNull = (name: string, value: unknown): number | null => {
  if (value === null || (typeof value === 'number' && Number.isSafeInteger(value) && value > 0)) return value;
  throw wrong(name, value, 'a whole number above 0, or null');
};

export const oneOf = <T extends string>(name: string, value: unknown, accepted: readonly T[]): T => {
  const found = accepted.find((one) => one === value);
  if (found !== undefined) return found;
  throw wrong(name, value, accepted.map((one) => `'${one}'`).join(' or '));
};

export const names = (name: string, value: unknown): readonly string[] => {
  const isList = Array.isArray(value) && value.length > 0;
  if (isList && value.every((one) => typeof one === 'string' && one !== ''))
    return [...new Set<string>(value)];
  throw wrong(name, value, "an array of names, such as ['default']");
};

/** An error that names the option, what it got, and what it takes. */
export const wrong = (name: string, value: unknown, accepted: string): ParityOptionsError =>
  new ParityOptionsError(`${name} is ${shown(value)}; it takes ${accepted}.`);

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'function') return value.name ? `the function ${value.name}` : 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  return Array.isArray(value) ? JSON.stringify(value) : `of the kind ${value.constructor?.name ?? 'object'}`;
}
