import type { DataSource } from 'typeorm';

/**
 * When a DataSource closes, runs `before` while it still works, and `after` once it is closed. Until then the
 * DataSource may still commit something.
 *
 * @returns stops listening
 */
export function onClose(dataSource: DataSource, before: () => Promise<void>, after: () => void): () => void {
  const destroy = dataSource.destroy.bind(dataSource);
  dataSource.destroy = async () => {
    try {
      if (dataSource.isInitialized) await before();
    } finally {
      // Closed even if `before` fails: an open DataSource would keep the process alive.
      await destroy();
      after();
    }
  };
  return () => void Reflect.deleteProperty(dataSource, 'destroy');
}
