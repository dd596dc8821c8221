/** Keeps the entries that were used last. */
export class Recent<K, V> {
  // A Map keeps the order of insertion, so a used entry is inserted again, at its end.
  private readonly entries = new Map<K, V>();

  /** @param limit of entries */
  constructor(private readonly limit: number) {}

  get(key: K): V | undefined {
    const value = this.entries.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.entries.delete(key);
    this.entries.set(key, value);
    if (this.entries.size <= this.limit) return;
    const [oldest] = this.entries.keys();
    if (oldest !== undefined) this.entries.delete(oldest);
  }
}
