import type { DataSource, EntityMetadata } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { ParityOptionsError } from '../errors/parity-options.error.js';

/** Types whose values are lists or objects, which have no unique text. */
const COMPOUND = /json|array|hstore|vector|geo|point|line|polygon|range/i;

/**
 * Checks that a row can be found again by its primary key as text.
 *
 * @throws ParityOptionsError for a key for which that cannot work
 */
export function checkKey(dataSource: DataSource, metadata: EntityMetadata): void {
  for (const column of metadata.primaryColumns) {
    if (column.transformer) continue;
    const refused = (why: string): ParityOptionsError =>
      new ParityOptionsError(`The primary key ${metadata.name}.${column.propertyPath} ${why}`, {
        entityName: metadata.name,
      });
    const type = dataSource.driver.normalizeType(column);
    if (column.isArray || COMPOUND.test(String(column.type)))
      throw refused(
        `is of the type ${String(column.type)}, by which a row cannot be named. Take a number, a text, a date or bytes, ` +
          `or give it a transformer that stores one of these.`,
      );
    if (/^(datetime|timestamp)/.test(type) && precisionOf(dataSource, column, type) < 3)
      throw refused(
        `is stored without milliseconds, which a Date has, so its row would not be found again. Give it { precision: 3 }.`,
      );
  }
}

const precisionOf = ({ driver }: DataSource, { precision }: ColumnMetadata, type: string): number =>
  precision ?? driver.dataTypeDefaults[type]?.precision ?? Infinity;
