export interface CompiledStatement {
  readonly text: string;
  /** The parameter at each place; `now` is the time. */
  readonly order: readonly (number | 'now')[];
}

/** Translates `$1` and `$now` to what a driver takes, once per text. */
export class CompiledStatements {
  private readonly compiled = new Map<string, CompiledStatement>();

  constructor(private readonly dialect: { compile(sql: string): CompiledStatement }) {}

  of(sql: string): CompiledStatement {
    let statement = this.compiled.get(sql);
    if (!statement) this.compiled.set(sql, (statement = this.dialect.compile(sql)));
    return statement;
  }
}

/**
 * For drivers whose parameters have no numbers.
 *
 * @param now the time as SQL; without it, the time is a parameter, too
 */
export const positional =
  (now?: string) =>
  (sql: string): CompiledStatement => {
    const order: (number | 'now')[] = [];
    const text = sql.replaceAll(/\$(now\b|\d+)/g, (_, name: string) => {
      if (name === 'now' && now !== undefined) return now;
      order.push(name === 'now' ? 'now' : Number(name) - 1);
      return '?';
    });
    return { text, order };
  };

/** PostgreSQL numbers its parameters as the statements of this module do. */
export const numbered =
  (now: string) =>
  (sql: string): CompiledStatement => ({ text: sql.replaceAll(/\$now\b/g, now), order: [] });
