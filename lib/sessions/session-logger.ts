/** What session providers write to; Nest's `Logger` is one. They never pass a token, key, password or code. */
export interface SessionLogger {
  debug(message: string): void;
  log(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}
