import type { DataSource } from 'typeorm';

/**
 * When a DataSource closes, runs `before` while it still works, and `after` once it is closed: until then it may commit something.
 * @returns stops listening
 */
export function onClose(dataSource: DataSource, before: () => Promise<void>, after: () => void): () => void {
  const destroy = dataSource.destroy.bind(dataSource);
  dataSource.destroy = async () => {
    if (dataSource.isInitialized) await before();
    await destroy();
    after();
  };
  return () => void Reflect.deleteProperty(dataSource, 'destroy');
}
