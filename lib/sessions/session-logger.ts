/**
 * The log of session providers; Nest's `Logger` is one. Providers never pass a token, key, password or code
 * to it.
 */
export interface SessionLogger {
  debug(message: string): void;
  log(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}
