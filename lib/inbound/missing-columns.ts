import type { EntityMetadata } from 'typeorm';
import { causesOf } from '../errors/causes-of.js';

/** What the databases say of a column that must have a value, with its name. */
const MESSAGES = [
  /null value in column "([^"]+)"/, // PostgreSQL
  /NOT NULL constraint failed: (?:\S+\.)?([\w$]+)/, // SQLite
  /Column '([^']+)' cannot be null/, // MySQL
  /Field '([^']+)' doesn't have a default value/, // MySQL
];

/** The properties whose columns were left without a value that they must have; none for any other error. */
export function missingColumns(error: unknown, { columns }: EntityMetadata): string[] {
  for (const cause of causesOf(error)) {
    const message = String((cause as Partial<Error>).message);
    for (const pattern of MESSAGES) {
      const [, name] = pattern.exec(message) ?? [];
      if (name === undefined) continue;
      const column = columns.find(({ databaseName }) => databaseName === name);
      return [column?.relationMetadata?.propertyName ?? column?.propertyPath ?? name];
    }
  }
  return [];
}
